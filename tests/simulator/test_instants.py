"""Instants: nine digits, trimmed; offsets; their inverse."""

from datetime import UTC, datetime

import pytest

import simulator
from simulator.instants import day_number, day_text, format_instant, offset_minutes, offset_text, parse_instant, to_ns

SECOND = to_ns(datetime(2026, 10, 21, 7, 56, 38, tzinfo=UTC))


@pytest.mark.parametrize(
    ("ns", "offset_min", "text"),
    [
        pytest.param(SECOND + 514700761, 0, "2026-10-21T07:56:38.514700761Z", id="nine digits"),
        pytest.param(SECOND + 514700000, 0, "2026-10-21T07:56:38.5147Z", id="trailing zeros trimmed"),
        pytest.param(SECOND, 0, "2026-10-21T07:56:38Z", id="no fraction"),
        pytest.param(SECOND, -240, "2026-10-21T03:56:38-04:00", id="west"),
        pytest.param(SECOND, 1020, "2026-10-22T00:56:38+17:00", id="next day in the east"),
        pytest.param(SECOND, -510, "2026-10-20T23:26:38-08:30", id="day before, half an hour"),
    ],
)
def test_an_instant_is_written_as_go_writes_it_and_read_back(ns: int, offset_min: int, text: str) -> None:
    assert format_instant(ns, offset_min) == text
    assert parse_instant(text) == ns


@pytest.mark.parametrize(
    "text", ["2026-10-21", "2026-13-21T00:00:00Z", "2026-10-21T24:00:00Z", "2026-10-21T00:00:00", ""]
)
def test_a_text_that_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"instant|month"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["Z", "-04:00", "+05:30"])
def test_an_offset_is_the_inverse_of_its_text(text: str) -> None:
    assert offset_text(offset_minutes(text)) == text


@pytest.mark.parametrize("text", ["-4", "+25:00", "EST", ""])
def test_an_offset_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither Z nor an offset"):
        offset_minutes(text)


def test_a_day_is_the_inverse_of_its_text() -> None:
    assert day_text(day_number("2024-02-29")) == "2024-02-29"
    with pytest.raises(ValueError, match="is not YYYY-MM-DD"):
        day_number("20240229")


def test_an_offset_moves_no_instant() -> None:
    end = datetime(2026, 10, 5, 3, tzinfo=UTC)
    utc, west = (simulator.generate(days=3, seed=2, end=end, utc_offset_min=off) for off in (0, -240))
    assert [row["created_at"][-6:] for row in west.pulls.rows] == ["-04:00"] * len(west.pulls.rows)
    assert [parse_instant(row["created_at"]) for row in west.pulls.rows] == list(utc.pulls.created_ns)
