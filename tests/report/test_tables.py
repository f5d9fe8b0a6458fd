"""Reports as text, at any width: their columns, marks, and notes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.report.events import ANSWER, PROMPT, rows

from millrace.collect.parsers.event import Tokens, UsageEvent
from millrace.prices import RateCard
from millrace.report import tables
from millrace.report.sums import Pricing
from millrace.report.tallies import Kind, Selection, since_of, tally
from millrace.report.zones import Zone

CARD = RateCard.load()
UNPRICED = replace(ANSWER, message_id="m9", model="unsold-1")


def printed(
    *events: UsageEvent, kind: Kind = "daily", width: int | None = None, is_broken_down: bool = False
) -> list[str]:
    made = tally(rows(events), kind, Zone.named("Europe/Berlin"), Pricing(CARD), Selection())
    return list(tables.lines(made, width, is_broken_down))


def cells(*events: UsageEvent, width: int | None = None) -> list[str]:
    """Return the cells of the only row."""
    return printed(*events, width=width)[4].split()


def test_a_day_has_the_columns_that_add_up() -> None:
    lines = printed(ANSWER, PROMPT)
    assert lines[0] == "Usage by day, days of Europe/Berlin"
    assert " ".join(lines[2].split()) == "Day Models Input Cache write Cache read Output Total Cost"
    assert lines[4].split() == ["2026-03-01", "claude-opus-4-5", "100", "22", "200", "10", "332", "<$0.01"]
    assert lines[6].split() == ["Total", "100", "22", "200", "10", "332", "<$0.01"]


@pytest.mark.parametrize("width", [80, 100, 119, 130])
def test_table_fits_the_terminal(width: int) -> None:
    many = [replace(ANSWER, message_id=f"m{number}", model=f"claude-opus-4-5-2025110{number}") for number in range(9)]
    lines = printed(*many, width=width)
    assert max(map(len, lines)) <= width
    assert any("…" in line for line in lines)


@pytest.mark.parametrize(
    ("events", "cost"),
    [
        pytest.param([UNPRICED], "unknown", id="no price"),
        pytest.param([replace(ANSWER, tokens=Tokens(10**6, 0, 0, 0, 0)), UNPRICED], "≥$5.00", id="one without a price"),
        pytest.param([replace(ANSWER, tokens=Tokens(10**6, 0), is_estimated=True)], "≈$5.00", id="estimated"),
        pytest.param([replace(ANSWER, tokens=Tokens(10**6, 0), is_lower_bound=True)], "≥$5.00", id="at least"),
        pytest.param([replace(ANSWER, tokens=Tokens(0, 0))], "$0.00", id="nothing"),
        pytest.param([PROMPT], "$0.00", id="only a prompt"),
    ],
)
@pytest.mark.parametrize("width", [None, 80])
def test_cost_says_how_far_it_can_be_relied_on(events: list[UsageEvent], cost: str, width: int | None) -> None:
    assert cells(*events, width=width)[-1] == cost


def test_unknown_cost_is_explained_with_its_tokens() -> None:
    assert printed(UNPRICED)[-1] == (
        "unknown cost: 332 tokens of unsold-1; `millrace doctor` lists models without a price"
    )


def test_tokens_that_were_not_counted_are_unknown() -> None:
    assert cells(replace(ANSWER, tokens=Tokens()))[-2] == "unknown"


def test_breakdown_adds_a_line_for_each_model() -> None:
    lines = printed(ANSWER, UNPRICED, is_broken_down=True)
    assert [line.split()[:2] for line in lines[5:7]] == [["-", "claude-opus-4-5"], ["-", "unsold-1"]]


def test_row_of_many_models_names_the_first_three() -> None:
    many = [replace(ANSWER, message_id=f"m{number}", model=f"claude-opus-4-5-2025110{number}") for number in range(5)]
    lines = printed(*many)
    assert "claude-opus-4-5-20251100, claude-opus-4-5-20251101, claude-opus-4-5-20251102, +2 more  " in lines[4]
    assert len(printed(*many, is_broken_down=True)) == len(lines) + 5


def test_foreign_text_cannot_move_the_cursor() -> None:
    lines = printed(replace(ANSWER, project="a\x1b[2Jb\n"), kind="project")
    assert not any("\x1b" in line or "\n" in line for line in lines)


def test_sessions_are_in_the_order_of_their_last_use() -> None:
    later = replace(ANSWER, message_id="m2", session_id="A2", occurred_at=ANSWER.occurred_at + timedelta(hours=1))
    lines = printed(later, ANSWER, kind="session")
    assert [line.split()[1:3] for line in lines[4:6]] == [["S1", "2026-03-01"], ["A2", "2026-03-01"]]


@pytest.mark.parametrize(
    ("kind", "number", "first"),
    [("daily", 7, "2026-02-24"), ("weekly", 1, "2026-03-02"), ("weekly", 3, "2026-02-16")],
)
def test_last_periods_end_with_the_present_one(kind: Kind, number: int, first: str) -> None:
    today = (ANSWER.occurred_at + timedelta(days=1)).date()
    assert since_of(kind, today, number).isoformat() == first


MONTHS = [(1, "2026-03-01"), (3, "2026-01-01"), (4, "2025-12-01"), (16, "2024-12-01")]


@pytest.mark.parametrize(("number", "first"), MONTHS)
def test_last_months_end_with_the_present_one(number: int, first: str) -> None:
    assert since_of("monthly", ANSWER.occurred_at.date(), number).isoformat() == first


@pytest.mark.parametrize(
    ("tokens", "text"),
    [(0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (1_234_567, "1.23M"), (5 * 10**9, "5.00B"), (10**13, "10.00T")],
)
def test_compact_counts_have_a_unit(tokens: int, text: str) -> None:
    assert tables.count(tokens, is_short=True) == text
