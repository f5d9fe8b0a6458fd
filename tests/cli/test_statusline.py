"""`millrace statusline`: what it reads, prints and returns."""

import io
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.reporting import Run, machine, priced, run, write
from tests.collect.machine import Machine

__all__ = ["machine", "run"]


class Input:
    """Standard input that is a pipe."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


@pytest.fixture
def status(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], str]:
    """Run the status line with an input, and return its line."""

    def status(given: object) -> str:
        content = given if isinstance(given, bytes) else json.dumps(given).encode()
        monkeypatch.setattr(sys, "stdin", Input(content))
        code, out, err = run("statusline")
        assert (code, err, out.count("\n")) == (0, "", 1)
        return out.rstrip("\n")

    return status


def documented(path: Path, **more: object) -> dict[str, object]:
    """Return the input of the documentation, for a transcript."""
    return {
        "session_id": "S1",
        "transcript_path": str(path),
        "cwd": "/home/x/app",
        "model": {"id": "claude-opus-4-5", "display_name": "Opus"},
        "workspace": {"current_dir": "/home/x/app", "project_dir": "/home/x/app"},
        "version": "2.1.90",
        "output_style": {"name": "default"},
        "cost": {"total_cost_usd": 0.25, "total_duration_ms": 45000, "total_lines_added": 156},
        "context_window": {"context_window_size": 200000, "used_percentage": 8, "current_usage": None},
        "exceeds_200k_tokens": False,
        **more,
    }


def test_statusline_has_session_today_block_and_pace(machine: Machine, status: Callable[[object], str]) -> None:
    path = write(machine, priced("m1", at=datetime.now(UTC).isoformat()))
    model, session, today, block, pace = status(documented(path)).split(" | ")
    assert (model, session, today) == ("Opus", "$5.00 session", "$5.00 today")
    assert block.startswith("$5.00 block, 4 h ")
    assert pace.endswith("/h")
    assert not machine.state.exists()


def test_statusline_adds_new_lines_of_the_transcript_to_the_store(
    machine: Machine, run: Run, status: Callable[[object], str]
) -> None:
    now = datetime.now(UTC).isoformat()
    path = write(machine, priced("m1", at=now))
    run("report")
    before = (machine.state / "state.sqlite").read_bytes()
    path.write_bytes(path.read_bytes() + priced("m2", at=now) + priced("m3", at=now)[:-9])
    assert "$10.00 session | $10.00 today" in status(documented(path))
    assert (machine.state / "state.sqlite").read_bytes() == before


def test_statusline_takes_the_end_of_the_block_from_the_limits(
    machine: Machine, status: Callable[[object], str]
) -> None:
    now = datetime.now(UTC)
    path = write(machine, priced("m1", at=now.isoformat()))
    resets_at = int((now + timedelta(minutes=90, seconds=30)).timestamp())
    assert "1 h 30 min left" in status(documented(path, rate_limits={"five_hour": {"resets_at": resets_at}}))


def test_statusline_of_a_session_that_is_not_read_has_claudes_own_cost(
    machine: Machine, status: Callable[[object], str]
) -> None:
    assert status(documented(machine.home / "none.jsonl")) == "Opus | $0.25 session | $0.00 today"


def test_statusline_beside_a_writer_shows_what_claude_says(
    machine: Machine, run: Run, status: Callable[[object], str]
) -> None:
    path = write(machine, priced("m1"))
    run("report")
    with closing(sqlite3.connect(machine.state / "state.sqlite", isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        assert status(documented(path)) == "Opus | $0.25 session"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe{", id="no UTF-8"),
        pytest.param(b"{" * 100_000, id="too deep"),
        pytest.param(b'{"cost": {"total_cost_usd": NaN}}', id="no number"),
        pytest.param([1], id="a list"),
        pytest.param({"model": "Opus", "cost": 3, "session_id": 4, "transcript_path": 5}, id="other types"),
        pytest.param({"model": {"id": None}, "rate_limits": {"five_hour": {"resets_at": "soon"}}}, id="nulls"),
        pytest.param({"transcript_path": "/etc/passwd", "session_id": "../x"}, id="another file"),
        pytest.param({"transcript_path": "/none\x00.jsonl"}, id="no path"),
    ],
)  # fmt: skip
def test_statusline_of_any_input_is_one_line(machine: Machine, status: Callable[[object], str], given: object) -> None:
    assert status(given) == "$0.00 today"


def test_statusline_prints_no_control_character(machine: Machine, status: Callable[[object], str]) -> None:
    assert status({"model": {"display_name": "a\x1b[2J\nb"}}) == "a\\x1b[2J\\nb | $0.00 today"
