"""Every sweep says how old the newest complete run is, also when none ever was."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.load.test_sweep_costs import NOW, CountingLake, lake_with, put

from millrace import runs
from millrace.config import LoadConfig
from millrace.errors import ConfigError
from millrace.lake.names import FinalKey
from millrace.load import heartbeat
from millrace.runs import RunRequest
from millrace.runs.plan import Origin


def lines_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    return [(each.levelname, each.fields) for each in caplog.records if each.getMessage() == "heartbeat"]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("millrace"), "propagate", True)
    caplog.set_level(logging.INFO, "millrace")


def test_a_recent_run_is_in_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake = lake_with(tmp_path, 30)
    assert heartbeat.beat(lake, NOW, 2, None) is False
    newest = runs.run_id_of(NOW - timedelta(hours=1))
    assert lines_of(caplog) == [("INFO", {"newest_complete": newest, "hours": 1.0, "is_late": False})]


def test_an_old_run_is_late(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert heartbeat.beat(lake_with(tmp_path, 3), NOW + timedelta(days=2), 25, NOW) is True
    ((level, line),) = lines_of(caplog)
    assert (level, line["hours"], line["is_late"]) == ("WARNING", 49.0, True)


def test_each_account_that_is_read_has_a_heartbeat_of_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake = lake_with(tmp_path, 3)
    for days, account in ((20, "removed"), (3, "acme"), (0.1, "acme"), (0.1, "beta")):
        plan = runs.start(lake, Silent(), RunRequest(NOW - timedelta(days=days)), Origin("github", account))
        if days >= 3:
            final: dict[str, object] = {
                "run_id": plan.run_id,
                "status": "complete",
                "reason": None,
                "tasks": [],
                "load_seq": 0,
            }
            put(lake, str(FinalKey(plan.run_id)), json.dumps(final).encode())
    assert heartbeat.beat(lake, NOW, 25, NOW - timedelta(hours=30)) is True
    found = {line.get("account", ""): (line["hours"], line["is_late"]) for _, line in lines_of(caplog)}
    assert found == {"": (1.0, False), "acme": (72.0, True), "beta": (30.0, True)}


@pytest.mark.parametrize("content", [b'{"status": "failed"}', b""], ids=["failed", "damaged"])
def test_a_run_that_ended_otherwise_is_none(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    lake = CountingLake(tmp_path / "lake")
    runs.start(lake, Silent(), RunRequest(NOW))
    final = {"run_id": "", "reason": "", "tasks": [], "load_seq": 0} | json.loads(content or b"{}")
    put(lake, str(FinalKey(runs.run_id_of(NOW))), json.dumps(final).encode() if content else b"")
    assert heartbeat.beat(lake, NOW, 1, NOW - timedelta(hours=3)) is True
    assert lines_of(caplog)[0][1] == {"newest_complete": None, "hours": 3.0, "is_late": True}


def test_a_deployment_that_never_worked_is_late_after_its_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = CountingLake(tmp_path / "lake")
    assert heartbeat.beat(lake, NOW, 25, NOW - timedelta(hours=1)) is False
    assert heartbeat.beat(lake, NOW, 25, NOW - timedelta(hours=26)) is True
    assert heartbeat.beat(lake, NOW, 25, None) is True
    assert [line["hours"] for _, line in lines_of(caplog)] == [1.0, 26.0, None]


@pytest.mark.parametrize("text", ["yesterday", "2026-11-28T12:00:00"])
def test_the_time_of_the_deployment_has_a_form(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAKE", "QUARANTINE", "BUS", "WAREHOUSE", "JOB"):
        monkeypatch.setenv(f"MILLRACE_{name}", "somewhere")
    monkeypatch.setenv("MILLRACE_SINCE", "2026-11-28T12:00:00Z")
    assert LoadConfig.from_env().since == datetime(2026, 11, 28, 12, tzinfo=UTC)
    monkeypatch.setenv("MILLRACE_SINCE", text)
    with pytest.raises(ConfigError, match="MILLRACE_SINCE: expected a time"):
        LoadConfig.from_env()


class Silent:
    """A bus that keeps nothing."""

    def publish(self, topic: str, data: object, attributes: object) -> None:
        """Keep nothing."""
