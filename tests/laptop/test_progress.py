"""What a run shows of its log."""

import pytest

from millrace import log
from millrace.laptop.progress import ProgressLog


def test_unforeseen_error_is_shown_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLog():
        try:
            raise KeyError("key")
        except KeyError as error:
            log.unforeseen("load", error, str(error))
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "KeyError" in line]
    assert "load: KeyError: 'key'" in line
    assert "test_progress.py" in line


def test_long_request_is_shown_against_the_rows_of_the_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.laptop.progress._HEARTBEAT_S", -1.0)
    with ProgressLog() as progress:
        progress.expect({"commits": 700, "reviews": 1300})
        log.debug("rows read", table="commits", rows=500)
        log.debug("asking", path="/analytics/commits", requests=7)
    assert "asking /analytics/commits, 7 requests so far, 500 of 2,000 rows" in capsys.readouterr().err


def test_a_long_wait_for_the_source_is_shown_when_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLog():
        log.info("waiting for the source", path="/repos", problem="over its rate limit", wait_s=1200)
    assert capsys.readouterr().err == "  over its rate limit: waiting for 1,200 s\n"
