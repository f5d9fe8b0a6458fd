"""A file that is put into the bucket is in the published marts; a bad one is in quarantine before any build."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from tests.emulators.dropping import BAD, EVENT
from tests.laptop.conftest import PROJECT

pytestmark = pytest.mark.proof


def test_a_good_file_is_published_and_a_bad_one_is_in_quarantine_before_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_PUBSUB_EMULATOR", "none")
    command = [sys.executable, "-m", "tests.emulators.dropping", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    before = json.loads(done.stdout.splitlines()[0])
    assert [(each["name"], each["reason"]) for each in before["quarantined"]] == [(BAD, "unreadable")]
    assert before["is_built"] is False
    with duckdb.connect(tmp_path / "emulated" / "published.duckdb", read_only=True) as connection:
        rows = connection.execute("SELECT user_id, project, total_tokens FROM mart.usage_events").fetchall()
        assert rows == [(EVENT["user_id"], EVENT["project"], 1200)]
        assert connection.execute("SELECT sum(total_tokens) FROM mart.usage_daily").fetchall() == [(1200,)]
