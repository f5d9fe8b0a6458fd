"""One holder at a time, a token that only grows, and a request that never goes back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.build.world import T0, TTL_S, World

from millrace.build.lease import Lease, LeaseLost, acquire, heartbeat, stopped_when_lost
from millrace.errors import TransientError
from millrace.lake import ObjectExists
from millrace.lake.names import LeaseKey, RequestedKey
from millrace.runs import build_requests

HOUR = timedelta(hours=1)


def take(world: World, holder: str, ahead: timedelta = timedelta()) -> Lease | None:
    """Acquire the lease on a clock that is ahead by `ahead`."""
    return acquire(world.lake, holder, lambda: world.now + ahead, world.sleep, TTL_S)


def taken(world: World, holder: str, ahead: timedelta = timedelta()) -> Lease:
    lease = take(world, holder, ahead)
    assert lease is not None
    return lease


def test_the_token_grows_by_one_with_every_holder_also_after_a_release(world: World) -> None:
    tokens = []
    for holder in ("a", "b", "a"):
        lease = taken(world, holder)
        tokens.append(lease.token)
        lease.release()
    assert tokens == [1, 2, 3]


def test_lease_is_not_taken_from_live_holder(world: World) -> None:
    with world.beating(taken(world, "a")):
        assert take(world, "b") is None


def test_a_dead_holder_is_taken_over_after_its_lease(world: World) -> None:
    taken(world, "a")
    second = taken(world, "b")
    assert second.token == 2
    assert world.now == T0 + timedelta(seconds=TTL_S)


def test_a_lease_that_was_taken_over_is_lost_at_the_next_renewal(world: World) -> None:
    first = taken(world, "a")
    second = taken(world, "b")
    with pytest.raises(LeaseLost, match="b holds the lease with token 2; a had 1"):
        first.renew()
    second.renew()


def test_releasing_lost_lease_leaves_new_holder(world: World) -> None:
    first = taken(world, "a")
    second = taken(world, "b")
    first.release()
    second.renew()
    with world.beating(second):
        assert take(world, "c") is None


def test_expired_lease_not_taken_over_can_be_renewed(world: World) -> None:
    lease = taken(world, "a")
    world.now += HOUR
    lease.renew()
    with world.beating(lease):
        assert take(world, "b") is None


def test_a_renewal_whose_answer_was_lost_is_no_lost_lease(world: World) -> None:
    lake = ForgetfulLake(world.lake)
    lease = acquire(lake, "a", lambda: world.now, world.sleep, TTL_S)
    assert lease is not None
    lake.forgets = True
    with pytest.raises(TransientError):
        lease.renew()
    lake.forgets = False
    lease.renew()
    assert lease.token == 1


class ForgetfulLake:
    """A lake that writes, but may lose the reply."""

    def __init__(self, lake: Any) -> None:
        self._lake, self.forgets = lake, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def write(self, *arguments: Any, **named: Any) -> Any:
        stored = self._lake.write(*arguments, **named)
        if self.forgets:
            raise TransientError("no answer")
        return stored


def test_live_holder_loses_lease_to_clock_an_hour_ahead(world: World) -> None:
    first = taken(world, "a")
    with world.beating(first):
        assert taken(world, "b", ahead=HOUR).token == 2
    with pytest.raises(LeaseLost):
        first.renew()


def test_a_clock_that_is_an_hour_behind_leaves_a_living_holder_alone(world: World) -> None:
    with world.beating(taken(world, "a")):
        assert take(world, "b", ahead=-HOUR) is None


def test_dead_holders_lease_is_taken_despite_clock_an_hour_behind(world: World) -> None:
    taken(world, "a", ahead=HOUR)
    before = world.now
    assert taken(world, "b", ahead=-HOUR).token == 2
    assert world.now - before <= timedelta(seconds=TTL_S * 7 / 6)


def test_the_heartbeat_renews_in_the_background(world: World) -> None:
    lease = acquire(world.lake, "a", lambda: world.now, world.sleep, ttl_s=0.03)
    assert lease is not None
    _, stored = world.lake.read(str(LeaseKey()))
    with heartbeat(lease):
        while world.lake.read(str(LeaseKey()))[1].version == stored.version:
            pass
    lease.renew()


def lose_at_work(lease: Lease, done: list[str]) -> None:
    with stopped_when_lost(lease):
        lease.lose()
        done.append("all of it")


def test_lost_lease_interrupts_block_in_main_thread(world: World) -> None:
    done: list[str] = []
    with pytest.raises(LeaseLost):
        lose_at_work(taken(world, "a"), done)
    assert done == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, TransientError])
def test_error_in_block_stays_what_it_is_while_lease_is_held(world: World, error: type[BaseException]) -> None:
    with pytest.raises(error), stopped_when_lost(taken(world, "a")):
        raise error


def test_block_in_other_thread_ends_by_itself_when_lease_is_lost(world: World) -> None:
    done: list[str] = []
    with ThreadPoolExecutor() as pool, pytest.raises(LeaseLost):
        pool.submit(lose_at_work, taken(world, "a"), done).result()
    assert done == ["all of it"]


def test_loss_after_block_interrupts_nothing(world: World) -> None:
    lease = taken(world, "a")
    with stopped_when_lost(lease):
        pass
    lease.lose()
    assert lease.is_lost


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8))
def test_requested_load_seq_never_decreases(world: World, asked: list[int]) -> None:
    (world.folder / "lake" / str(RequestedKey())).unlink(missing_ok=True)
    seen = []
    for load_seq in asked:
        build_requests.request(world.lake, load_seq, None)
        seen.append(build_requests.requested(world.lake))
    assert seen == [max(asked[: n + 1]) for n in range(len(asked))]


def test_a_request_that_another_one_overtakes_is_made_again(world: World) -> None:
    class Contended(ForgetfulLake):
        def write(self, *arguments: Any, **named: Any) -> Any:
            if not self.forgets:
                self.forgets = True
                build_requests.request(world.lake, 5, None)
            return self._lake.write(*arguments, **named)

    build_requests.request(Contended(world.lake), 7, None)
    assert build_requests.requested(world.lake) == 7
    with pytest.raises(ObjectExists):
        world.lake.write(str(RequestedKey()), b"", if_generation=0)
