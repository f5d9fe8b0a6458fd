"""The files that the platform starts: short, complete, and stopped at once when a setting is missing."""

import io
from pathlib import Path

import pytest
from flask import Flask
from tests.deploy.functions.deployed import PROJECT, Deployed, headers, push

from millrace import wiring
from millrace.bus import events
from millrace.bus.answers import answering
from millrace.config import ExtractConfig
from millrace.errors import ConfigError
from millrace.tables import ENDPOINTS

ENTRY_POINTS = sorted([*PROJECT.glob("functions/*/main.py"), *PROJECT.glob("jobs/*/main.py")])
EXTRACT = ("MILLRACE_LAKE", "MILLRACE_BUS", "MILLRACE_SOURCE_URL", "MILLRACE_SOURCE_KEY")
API = ("MILLRACE_LAKE", "MILLRACE_QUARANTINE", "MILLRACE_WAREHOUSE")
LOAD = ("MILLRACE_LAKE", "MILLRACE_QUARANTINE", "MILLRACE_BUS", "MILLRACE_WAREHOUSE", "MILLRACE_JOB")


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=lambda path: path.parent.name)
def test_an_entry_point_has_at_most_forty_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 40


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_has_its_extract_function(functions: Deployed, endpoint: str) -> None:
    application = functions.application(f"extract_{endpoint}")
    assert push(application, {}).status_code == 400  # it is served, and reports that this is no task


@pytest.mark.parametrize("name", EXTRACT)
def test_the_extract_functions_do_not_start_without_a_setting(functions: Deployed, name: str) -> None:
    functions.monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=f"{name} is not set"):
        functions.application("start_run")


@pytest.mark.parametrize("name", API)
def test_the_api_does_not_start_without_a_setting(functions: Deployed, name: str) -> None:
    functions.monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=f"{name} is not set"):
        functions.api()


@pytest.mark.parametrize("name", LOAD)
def test_the_load_function_does_not_start_without_a_setting(functions: Deployed, name: str) -> None:
    functions.monkeypatch.setenv(name, "")
    with pytest.raises(ConfigError, match=f"{name} is not set"):
        functions.application("load")


def test_job_exits_2_and_names_missing_setting(functions: Deployed, logged: io.StringIO) -> None:
    job: dict[str, object] = {"__name__": "dbt_runner"}
    exec(compile((PROJECT / "jobs/dbt-runner/main.py").read_text(), "main.py", "exec"), job)  # noqa: S102 our own file
    functions.monkeypatch.delenv("MILLRACE_WAREHOUSE")
    run = job["run"]
    assert callable(run)
    assert run() == 2
    assert "MILLRACE_WAREHOUSE is not set" in logged.getvalue()


def test_the_configuration_does_not_show_the_key(functions: Deployed) -> None:
    config = ExtractConfig.from_env()
    shown = f"{config!r} {wiring.extractor_of(config)!r}"
    assert config.source_key not in shown


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("target", ["load", "sweep", "start_run", "extract_repos"])
def test_other_methods_than_post_are_refused(functions: Deployed, method: str, target: str) -> None:
    client = functions.application(target).test_client()
    answer = client.open("/", method=method, headers=headers(events.MESSAGE))
    assert (answer.status_code, answer.headers["Allow"], list(functions.lake.list(""))) == (405, "POST", [])


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        pytest.param({"MILLRACE_BUS": "pubsub:///projects/p"}, 1, id="no caller is named"),
        pytest.param(
            {
                "MILLRACE_BUS": "pubsub:///projects/p",
                "MILLRACE_PUSH_AUDIENCE": "https://load.example",
                "MILLRACE_PUSH_ACCOUNT": "caller@p.iam.gserviceaccount.com",
            },
            0,
            id="a caller is named",
        ),
        pytest.param({}, 0, id="in this process"),
    ],
)
def test_an_open_door_is_one_line_of_the_log(
    functions: Deployed, logged: io.StringIO, settings: dict[str, str], warned: int
) -> None:
    functions.configure(**settings)
    functions.application("load")
    assert logged.getvalue().count("anybody may call") == warned


def test_machine_failure_returns_503_with_repair_advice() -> None:
    application = Flask("full")

    @application.post("/")
    def full() -> str:
        with answering("full"):
            raise OSError(28, "No space left on device", "/a/path/of/this/machine")

    answer = application.test_client().post("/")
    assert (answer.status_code, answer.get_data(as_text=True)) == (
        503,
        "No space left on device; fix that, then run again",
    )
