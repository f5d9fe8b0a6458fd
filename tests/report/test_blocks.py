"""Blocks of five hours: where they begin and end, what is in them, and the pace of the active one."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st
from tests.report.events import ANSWER, rows

from millrace.collect.parsers.event import UsageEvent
from millrace.collect.records import to_microseconds
from millrace.prices import RateCard
from millrace.report.blocks import BLOCK_US, HOUR_US, Block, blocks, gap_us
from millrace.report.sums import Pricing
from millrace.report.tallies import Selection
from millrace.report.zones import Zone

CARD = RateCard.load()
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
ZONE = Zone.named("Asia/Kathmandu")


def at(*minutes: float) -> list[UsageEvent]:
    """Return a response at each of these minutes after eight o'clock."""
    eight = datetime(2026, 3, 2, 8, tzinfo=UTC)
    return [
        replace(ANSWER, message_id=f"m{number}", occurred_at=eight + timedelta(minutes=minute))
        for number, minute in enumerate(minutes)
    ]


def found(events: list[UsageEvent], now: datetime = NOW, selection: Selection | None = None) -> list[Block]:
    return blocks(rows(events), ZONE, Pricing(CARD), selection or Selection(), to_microseconds(now))


def starts(made: list[Block]) -> list[int]:
    """Return the minutes after eight o'clock at which blocks begin."""
    return [(block.start_us - to_microseconds(datetime(2026, 3, 2, 8, tzinfo=UTC))) // 60_000_000 for block in made]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param([17], [0], id="a block begins at the full hour"),
        pytest.param([17, 299.99], [0], id="a block lasts five hours"),
        pytest.param([17, 300], [0, 300], id="the next response begins the next block"),
        pytest.param([59, 320, 599], [0, 300], id="no gap between blocks is needed"),
        pytest.param([300, 17], [0, 300], id="the order of events does not matter"),
        pytest.param([10, 1000], [0, 960], id="a gap"),
        pytest.param([], [], id="no response"),
    ],
)
def test_blocks_begin_at_the_hour_of_their_first_response(minutes: list[float], expected: list[int]) -> None:
    assert starts(found(at(*minutes))) == expected


def test_a_prompt_begins_no_block() -> None:
    assert found([replace(event, role="user") for event in at(17)]) == []


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 6000), max_size=40))
def test_every_response_is_in_one_block(minutes: list[float]) -> None:
    made = found(at(*minutes))
    assert sum(block.sums.assistant_message_count for block in made) == len(minutes)
    for block in made:
        assert block.start_us % HOUR_US == 0
        assert block.start_us <= block.first_us <= block.last_us < block.end_us == block.start_us + BLOCK_US
    for before, after in itertools.pairwise(made):
        assert before.end_us <= after.first_us


def test_gap_is_the_time_without_a_response_when_longer_than_a_block() -> None:
    first, second, third = found(at(10, 1000, 1290))
    assert gap_us(first, second) == 990 * 60_000_000
    assert gap_us(second, third) is None


@pytest.mark.parametrize(
    ("now", "is_active"),
    [(datetime(2026, 3, 2, 12, 59, tzinfo=UTC), True), (datetime(2026, 3, 2, 13, tzinfo=UTC), False)],
)
def test_block_is_active_until_its_end(now: datetime, is_active: bool) -> None:
    (block,) = found(at(17), now)
    assert block.is_active is is_active


def test_pace_counts_from_the_first_response_and_goes_on_to_the_end() -> None:
    (block,) = found(at(30, 31))
    pace = block.pace(to_microseconds(NOW))  # four hours after the first, half an hour before the end
    cost = block.sums.cost
    assert block.sums.total_tokens == 664
    assert pace.tokens_per_minute == 664 / 240
    assert (pace.cost_per_hour, pace.projected_tokens) == (cost // 4, 664 + 664 // 8)
    assert pace.projected_cost == cost + cost // 8


def test_pace_of_a_model_without_a_price_has_no_cost() -> None:
    (block,) = found([replace(event, model="unsold-1") for event in at(30)])
    pace = block.pace(to_microseconds(NOW))
    assert (pace.cost_per_hour, pace.projected_cost, pace.projected_tokens > 0) == (None, None, True)


def test_days_select_whole_blocks_by_their_start() -> None:
    # In Kathmandu, 8:00 UTC is 13:45, and 18:15 UTC is midnight.
    events = at(17, 10 * 60 + 5, 10 * 60 + 20)
    day = ZONE.day(to_microseconds(events[0].occurred_at))
    first, second = found(events, selection=Selection(until=day))
    assert (first.sums.assistant_message_count, second.sums.assistant_message_count) == (1, 2)
    assert found(events, selection=Selection(since=day + timedelta(days=1))) == []
