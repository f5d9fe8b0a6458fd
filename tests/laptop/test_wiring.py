"""The functions in this process receive the events that they would receive on Google Cloud."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace import runs, wiring
from millrace.laptop import in_process
from millrace.laptop.data_dir import DataDir
from millrace.laptop.in_process import Pipeline


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    source = {"MILLRACE_SOURCE_URL": "https://no-source-is-asked", "MILLRACE_SOURCE_KEY": "none"}
    settings = DataDir(tmp_path).settings() | source
    for name, value in settings.items():  # restored afterwards: `connect` sets them permanently
        monkeypatch.setenv(name, value)
    connected = in_process.connect(settings)
    yield connected
    connected.warehouse.close()
    for each in (wiring.bus_at, wiring.job_at, wiring.extractor_of, wiring.lake_at, wiring.duckdb_at):
        each.cache_clear()


def test_only_what_a_bucket_announces_reaches_the_load_function(pipeline: Pipeline) -> None:
    for name in (
        "notes.txt",
        "state/notes.txt",
        "build/notes.txt",
        "drop/notes.txt",
        "raw/notes.txt",
        "runs/notes.txt",
    ):
        pipeline.lake.write(name, b"no object of ours: the load function sets it aside", 0)
    pipeline.bus.run()
    reasons = [each.version.name for each in pipeline.quarantine.list("") if each.version.name.endswith(".json")]
    told = {json.loads(pipeline.quarantine.read(name)[0])["name"] for name in reasons}
    assert told == {"drop/notes.txt", "raw/notes.txt", "runs/notes.txt"}


def test_two_runs_within_one_second_are_two_runs(pipeline: Pipeline) -> None:
    started = [pipeline.start_run(None, full_refresh) for full_refresh in (False, True, False)]
    plans = [runs.read_plan(pipeline.lake, run_id) for run_id in started]
    assert len(set(started)) == 3
    assert [plan.full_refresh for plan in plans] == [False, True, False]
