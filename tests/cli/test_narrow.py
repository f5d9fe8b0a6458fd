"""Tables on a narrow terminal: columns are left out, and no number is cut."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from millrace.laptop import report

COLUMNS = ("week", "repo_name", "total_prs", "active_developers", "avg_cycle_time_hours", "ai_line_share")
ROW = ("2026-11-02", "acme-corp/service-01", 1234, 12, Decimal("12345.678"), 0.4567)
NUMBERS = ["1234", "12", "12,345.68", "0.46"]


def shown(width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(report._grid("velocity", COLUMNS, [ROW] * 2, width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 200])
def test_numbers_are_whole_or_left_out_at_any_width(width: int) -> None:
    *_, last = shown(width)
    cells = last.split()
    assert cells[0] == "2026-11-02"
    assert cells[2:] == NUMBERS[: len(cells) - 2]
    assert len(last) <= width


@pytest.mark.parametrize(("width", "said"), [(60, "; no room for"), (200, "")])
def test_columns_left_out_are_named(width: int, said: str) -> None:
    lines = shown(width)
    assert ("no room for" in " ".join(lines)) is bool(said)
    if said:
        assert "ai line share" in " ".join(lines)
    assert [len(line.split()) for line in lines[-2:]] == [len(lines[-1].split())] * 2


def test_long_name_is_cut_before_a_number_is_left_out() -> None:
    assert "acme-corp/servi…" in shown(60)[-1]
