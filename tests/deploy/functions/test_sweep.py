"""The sweep, as the scheduler calls it: lost work is requested again, or given up with a reason."""

from datetime import UTC, datetime, timedelta

from tests.deploy.functions.deployed import Deployed

from millrace import runs
from millrace.bus import EXTRACT_REQUESTS, OBJECT_EVENTS


def sweep(functions: Deployed) -> object:
    return functions.application("sweep").test_client().post("/").get_json()


def lost_run(functions: Deployed, age: timedelta) -> str:
    """Start a run whose requests are never delivered."""
    scheduled = (datetime.now(UTC) - age).isoformat()
    run_id: str = functions.start_run(scheduled).get_json()["run_id"]
    functions.take(EXTRACT_REQUESTS)
    return run_id


def test_the_tasks_of_a_run_that_went_silent_are_requested_again(functions: Deployed) -> None:
    run_id = lost_run(functions, timedelta(hours=1))
    assert sweep(functions) == {"tasks": 2, "objects": 0, "failed": 0}
    asked = functions.take(EXTRACT_REQUESTS)
    assert len(asked) == 2
    assert runs.read_final(functions.lake, run_id) is None


def test_a_run_that_has_just_begun_is_left_alone(functions: Deployed) -> None:
    lost_run(functions, timedelta(minutes=1))
    assert sweep(functions) == {"tasks": 0, "objects": 0, "failed": 0}
    assert functions.take(EXTRACT_REQUESTS) == []


def test_a_run_that_is_not_done_after_a_day_fails_with_a_reason(functions: Deployed) -> None:
    run_id = lost_run(functions, timedelta(days=2))
    assert sweep(functions) == {"tasks": 0, "objects": 0, "failed": 1}
    final = runs.read_final(functions.lake, run_id)
    assert final is not None
    assert (final.status, "was not extracted" in str(final.reason)) == ("failed", True)


def test_a_dropped_file_that_was_never_announced_is(functions: Deployed) -> None:
    functions.lake.write("drop/commits/lost.csv", b"commitHash\n1\n", if_generation=0)
    functions.take(OBJECT_EVENTS)
    assert sweep(functions) == {"tasks": 0, "objects": 1, "failed": 0}
    assert len(functions.take(OBJECT_EVENTS)) == 1
