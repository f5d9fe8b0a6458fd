"""The smoke test over the emulators: the schedule is called as an operator does, the functions are processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from terraform import smoke
from terraform.checks import deployment, settings
from terraform.checks.watching import Watched, watch
from tests.deploy.preflight import fake_google
from tests.deploy.preflight.fake_google import Answer, Call, denied
from tests.deploy.preflight.surroundings import CODE, environment

import simulator
from emulators import pipeline
from emulators.broker import Broker
from millrace import wiring
from millrace.config import LoadConfig
from millrace.errors import TransientError
from millrace.lake.gcs import GcsLake
from millrace.lake.local import LocalLake
from millrace.laptop.data_dir import DataDir
from millrace.runs import Failure, RunRequest, note_failure, start
from millrace.runs.completion import fail

KEY = "key-of-the-source"
END = datetime(2026, 10, 20, tzinfo=UTC)
JOB = "projects/acme-data-dev/locations/europe-west4/jobs/start-run"
_ENVIRONMENT = dict[str, str]


def job(state: str = "ENABLED") -> dict[str, Any]:
    return {
        "name": JOB,
        "schedule": "0 3 * * *",
        "state": state,
        "lastAttemptTime": "2026-11-29T03:00:00.1Z",
        "status": {"code": 7, "message": "PERMISSION_DENIED"},
    }


@dataclass
class Schedule:
    """The answers of Cloud Scheduler: a run of the job calls the function later, from a thread, as the service does."""

    call: Callable[[], object]
    state: str = "ENABLED"
    runs: int = 0

    def __call__(self, call: Call) -> Answer:
        if call.id == "cloudscheduler.projects.locations.jobs.get" and call.parameters["name"] == JOB:
            return 200, job(self.state)
        if call.id == "cloudscheduler.projects.locations.jobs.run" and call.parameters["name"] == JOB:
            self.runs += 1
            threading.Thread(target=self.call).start()
            return 200, job()
        return denied("cloudscheduler.jobs.get")


@dataclass
class Deployed:
    """A deployment over the emulators, and the environment of an operator."""

    schedule: Schedule
    variables: _ENVIRONMENT
    world: simulator.World

    def smoke(self, *arguments: str) -> int:
        with environment(os.environ | self.variables):
            return smoke.main(["dev", "--lake", "gs://lake", *arguments])


@pytest.fixture
def google(tmp_path: Path) -> Iterator[tuple[Schedule, _ENVIRONMENT]]:
    schedule = Schedule(lambda: None)
    with fake_google.serving(schedule) as fake:
        fake.write_credentials(tmp_path / "credentials.json")
        yield (
            schedule,
            fake.environment()
            | {
                "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "credentials.json"),
                "GOOGLE_CLOUD_PROJECT": "acme-data-dev",
                "TF_VAR_project_id": "acme-data-dev",
                "TF_VAR_region": "europe-west4",
                "TF_VAR_snowflake_account": "acme-dev",
                "TF_VAR_source_url": "https://source.example",
            },
        )
        assert fake.problems == []


@pytest.fixture
def deployed(
    tmp_path: Path, google: tuple[Schedule, _ENVIRONMENT], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployed]:
    """Everything of the run road as processes; the build job is an emulator that records its requests."""
    schedule, variables = google
    monkeypatch.setenv("MILLRACE_PUBSUB_EMULATOR", "none")
    before = dict(os.environ)
    with ExitStack() as stack:
        stack.callback(_restore, before)
        world = simulator.generate(developers=3, days=20, seed=11, end=END)
        url = stack.enter_context(simulator.serve(world, key=KEY)).url
        place = DataDir(tmp_path / "data")
        for folder in (place.root, place.dbt):
            folder.mkdir(parents=True, exist_ok=True)
        given = place.settings() | {
            "MILLRACE_SOURCE_URL": url,
            "MILLRACE_SOURCE_KEY": KEY,
            "MILLRACE_REQUESTS_PER_MINUTE": "0",
        }
        os.environ.update(given)
        running = stack.enter_context(pipeline.emulated(place, given, lambda line: None, Broker()))
        load = LoadConfig.from_env()
        warehouse = wiring.duckdb_at(load.warehouse, load.memory)
        warehouse.ensure_tables()
        warehouse.close()
        schedule.call = lambda: running.start_run(b"")
        variables |= {"TF_VAR_source_url": url, "TF_VAR_source_key": KEY}
        yield Deployed(schedule, variables | {"STORAGE_EMULATOR_HOST": os.environ["STORAGE_EMULATOR_HOST"]}, world)


def _restore(before: _ENVIRONMENT) -> None:
    for each in (wiring.lake_at, wiring.bus_at, wiring.job_at):
        each.cache_clear()  # their servers are gone
    os.environ.clear()
    os.environ.update(before)


def test_a_run_over_the_emulators_is_complete_and_equal(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    assert deployed.smoke() == 0
    printed = capsys.readouterr().out
    (run_id,) = re.findall(r"^run (\d{8}T\d{6}Z)$", printed, re.MULTILINE)
    for table in ("repos", "commits", "pull_requests", "reviews"):
        assert re.search(rf"^  \d\d:\d\d  {table}: recorded: ", printed, re.MULTILINE)
        assert re.search(
            rf"^  {table}: source [\d,]+, of the run 0 known \+ [\d,]+ written, now [\d,]+: equal$", printed, re.M
        )
    assert printed.splitlines()[-1] == f"run {run_id} is complete and equal to the source"
    assert f"gcloud logging read 'jsonPayload.run_id=\"{run_id}\"'" in printed
    assert deployed.schedule.runs == 1
    assert KEY not in printed
    del deployed.variables["TF_VAR_source_key"]
    assert deployed.smoke() == 0
    printed = capsys.readouterr().out
    assert "the source is not compared: TF_VAR_source_key is not set" in printed
    assert printed.count(" known + ") == 4
    assert printed.splitlines()[-1].endswith("is complete")


def test_a_paused_schedule_is_named_with_its_command(
    google: tuple[Schedule, _ENVIRONMENT], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule, variables = google
    schedule.state = "PAUSED"
    with storage(variables):
        assert smoke.main(["dev", "--lake", "gs://lake"]) == 1
    assert (
        "start-run is PAUSED; gcloud scheduler jobs resume start-run --location=europe-west4" in capsys.readouterr().err
    )
    assert schedule.runs == 0


def storage(variables: _ENVIRONMENT) -> Any:
    """Return a context with an empty lake in the emulator of Cloud Storage."""
    from emulators.storage import storage_emulator

    stack = ExitStack()
    at = stack.enter_context(storage_emulator("lake"))
    stack.enter_context(environment(variables | {"STORAGE_EMULATOR_HOST": at}))
    return stack


def test_a_call_that_starts_no_run_exits_with_3(
    google: tuple[Schedule, _ENVIRONMENT], capsys: pytest.CaptureFixture[str]
) -> None:
    with storage(google[1]):
        assert smoke.main(["dev", "--lake", "gs://lake", "--timeout", "0.005"]) == 3
    said = capsys.readouterr().err
    assert "no run was started in time" in said
    assert "the scheduler's last call: 2026-11-29T03:00:00.1Z, status 7 PERMISSION_DENIED" in said


def test_a_run_that_does_not_end_exits_with_3_and_says_how_far_it_is(
    google: tuple[Schedule, _ENVIRONMENT], capsys: pytest.CaptureFixture[str]
) -> None:
    schedule, variables = google
    with storage(variables):
        schedule.call = lambda: start(GcsLake.at("lake"), Silent(), RunRequest(datetime.now(UTC)))
        assert smoke.main(["dev", "--lake", "gs://lake", "--timeout", "0.1"]) == 3
    printed = capsys.readouterr()
    assert "has not ended in time: no record of repos, commits, pull_requests, reviews" in printed.err
    assert "trace: https://console.cloud.google.com/traces/list?project=acme-data-dev&tid=" in printed.out


class Silent:
    """A bus without subscribers."""

    def publish(self, *given: Any, **named: Any) -> None:
        """Drop the message."""


def test_a_schedule_that_may_not_be_called_exits_with_3(
    google: tuple[Schedule, _ENVIRONMENT], capsys: pytest.CaptureFixture[str]
) -> None:
    with storage(google[1]):
        assert smoke.main(["dev", "--lake", "gs://lake", "--var", "region=europe-west1"]) == 3
    assert "cloudscheduler: 403, Permission 'cloudscheduler.jobs.get' denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["stage"], id="environment"),
        pytest.param(["dev", "--lake", "lake"], id="lake"),
        pytest.param(["dev", "--var", "nonsense=1"], id="variable"),
    ],
)
def test_wrong_settings_exit_with_2(google: tuple[Schedule, _ENVIRONMENT], arguments: list[str]) -> None:
    with environment(google[1]):
        assert smoke.main(arguments) == 2


def test_without_a_deployment_it_says_what_to_run(
    google: tuple[Schedule, _ENVIRONMENT], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with environment(google[1]), pytest.raises(settings.WrongSettings, match="run make deploy ENV=dev"):
        deployment.Deployment.of(settings.read(CODE, "dev", [], os.environ), {})


def test_the_outputs_are_those_of_the_environments_workspace(
    google: tuple[Schedule, _ENVIRONMENT], tmp_path: Path
) -> None:
    (tmp_path / "outputs.tf").write_text(
        'output "buckets" {\n  value = { lake = "gs://${terraform.workspace}-lake" }\n}\n'
    )
    terraform = ["terraform", f"-chdir={tmp_path}"]
    try:
        for words in (["workspace", "new", "dev"], ["apply", "-auto-approve"], ["workspace", "select", "default"]):
            subprocess.run([*terraform, *words], check=True, capture_output=True, timeout=600)
    except FileNotFoundError:
        pytest.skip("terraform is not installed")
    with environment(google[1]):
        read = replace(settings.read(CODE, "dev", ["prefix=qa"] if _has_prefix() else [], os.environ), folder=tmp_path)
        found = deployment.Deployment.of(read, deployment.outputs(read))
    assert found.lake == "gs://dev-lake"
    assert found.schedule == ("qa-start-run" if _has_prefix() else "start-run")


def _has_prefix() -> bool:
    return 'variable "prefix"' in (CODE / "variables.tf").read_text()


def test_an_interrupted_smoke_test_exits_with_130(google: tuple[Schedule, _ENVIRONMENT], tmp_path: Path) -> None:
    schedule, variables = google
    called = threading.Event()
    schedule.call = called.set
    with storage(variables):
        command = [sys.executable, str(CODE / "smoke.py"), "dev", "--lake", "gs://lake"]
        process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with process:
            assert called.wait(60)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "error: interrupted; a run that was started goes on\n")


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    (tmp_path / "lake").mkdir()
    return LocalLake(tmp_path / "lake", "lake")


def test_progress_and_failures_are_reported_once_and_again_when_they_change(lake: LocalLake) -> None:
    run = Watched(lake, "20261129T030000Z")
    name = "runs/20261129T030000Z/progress/commits.json"
    stored = lake.write(name, b'{"lists_done": 3, "lists_total": 10, "rows": 1200, "saved_at": "x"}', 0)
    note_failure(lake, run.run_id, Failure("reviews", "SourceUnavailable", "no answer in time", "x"))
    assert sorted(run.news()) == [
        "commits: 3 of 10 lists read, 1,200 rows",
        "reviews: an attempt failed: SourceUnavailable: no answer in time",
    ]
    assert list(run.news()) == []
    lake.write(name, b'{"lists_done": 4, "lists_total": null}', stored.version.generation)
    assert list(run.news()) == ["commits: 4 lists read"]


def test_a_damaged_object_of_a_run_is_named(lake: LocalLake) -> None:
    lake.write("runs/20261129T030000Z/progress/commits.json", b"{", 0)
    assert "runs/20261129T030000Z/progress/commits.json is damaged" in next(Watched(lake, "20261129T030000Z").news())


def test_a_failed_run_exits_with_1_and_its_reason(lake: LocalLake, capsys: pytest.CaptureFixture[str]) -> None:
    run = Watched(lake, "20261129T030000Z")
    clock = iter(range(100))

    def sleep(seconds: float) -> None:
        fail(lake, run.run_id, "commits was not extracted")

    watch(run, 50, lambda: next(clock), sleep, lambda line: None)
    assert smoke.verdict(run, None) == 1
    assert "failed: commits was not extracted" in capsys.readouterr().err


def test_a_run_is_watched_until_its_time_is_over(lake: LocalLake) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(TransientError, match="no record of repos"):
        watch(Watched(lake, "20261129T030000Z"), 60, lambda: now[0], sleep, lambda line: None)
    assert now == [60]


def test_an_older_run_is_not_taken_for_the_one_that_was_asked_for(lake: LocalLake) -> None:
    now = datetime.now(UTC)
    old = start(lake, Silent(), RunRequest(now - timedelta(hours=1))).run_id
    assert deployment.newest_since(lake, deployment.runs_around(lake, now), now) is None
    new = start(lake, Silent(), RunRequest(now)).run_id
    assert deployment.runs_around(lake, now) == {old, new}
    found = deployment.newest_since(lake, {old, new}, now)
    assert found is not None
    assert found.run_id == new
