"""The smoke test of a source of GitHub: its schedule, its runs, and the comparison with GitHub, which is simulated."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from terraform import smoke
from terraform.checks import comparing_github, deployment, settings, sources
from terraform.checks.deployment import Deployment
from terraform.checks.watching import Watched
from tests.deploy.preflight.surroundings import CODE, environment

from millrace.extract.sources.github.source import Probe
from millrace.lake.local import LocalLake
from millrace.runs import Final, Origin, RunRequest, TaskRecord, start
from simulator import github

TOKEN = "github_pat_simulated"
SETTINGS = {"TF_VAR_project_id": "acme-data-dev", "TF_VAR_snowflake_account": "acme-dev"}
OUTPUTS = {"buckets": {"lake": "gs://lake"}}


class Silent:
    """A bus without subscribers."""

    def publish(self, *given: Any, **named: Any) -> None:
        """Drop the message."""


@pytest.fixture(scope="module")
def source() -> Iterator[sources.Account]:
    with github.served(github.generate(repositories=2, pulls=3, account="acme")) as served:
        yield sources.Account("acme", "acme", served.url, None, (), TOKEN)


@pytest.fixture(scope="module")
def now(source: sources.Account) -> Probe:
    return source.asked().probe()


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    (tmp_path / "lake").mkdir()
    return LocalLake(tmp_path / "lake", "lake")


def record(task_id: str, total: int, rows: int | None = None, mark: dict[str, Any] | None = None) -> TaskRecord:
    return TaskRecord(
        run_id="20261120T030000Z-acme",
        task_id=task_id,
        table=task_id.partition("__")[0],
        plan="graphql full",
        extracted_at="2026-11-20T03:00:00+00:00",
        finished_at="2026-11-20T03:00:10+00:00",
        since=None,
        window_start=None,
        source_total=total,
        known=0,
        repeated=0,
        rows=total if rows is None else rows,
        parts=(),
        children=("github_pull_requests__7",) if task_id == "github_repos" else (),
        requests=1,
        retries=0,
        rate_limited=0,
        waited_s=0.0,
        counts={},
        mark=mark,
    )


def read(**variables: str) -> settings.Settings:
    with environment(os.environ | SETTINGS | variables):
        return settings.read(CODE, "dev", [], os.environ)


def test_the_schedule_is_that_of_the_source() -> None:
    found = read(TF_VAR_sources='{mega-widgets-inc = {kind = "github", owner = "Mega"}}', TF_VAR_prefix="qa")
    here = Deployment.of(found, OUTPUTS, sources.account_of(found, "mega-widgets-inc"))
    assert (here.schedule, here.account) == ("qa-gh-mega-cb1fb-start", "mega")


def test_a_source_that_is_not_set_is_wrong_settings_and_so_is_none_without_source_url() -> None:
    found = read(TF_VAR_sources='{acme = {kind = "github"}}')
    with pytest.raises(settings.WrongSettings, match="--source other: expected a key of the variable sources: acme"):
        sources.account_of(found, "other")
    with pytest.raises(settings.WrongSettings, match="source_url is not set: expected --source"):
        Deployment.of(found, OUTPUTS)


def test_only_runs_of_the_account_are_found(lake: LocalLake) -> None:
    moment = datetime.now(UTC)
    plain = start(lake, Silent(), RunRequest(moment)).run_id
    own = start(lake, Silent(), RunRequest(moment), Origin("github", "acme")).run_id
    start(lake, Silent(), RunRequest(moment), Origin("github", "not-acme"))
    assert deployment.runs_around(lake, moment) == {plain}
    assert deployment.runs_around(lake, moment, "acme") == {own}
    found = deployment.newest_since(lake, {own}, moment)
    assert found is not None
    assert found.account == "acme"


def test_a_run_of_a_source_waits_for_the_tasks_that_its_records_name(lake: LocalLake) -> None:
    run = Watched(lake, "20261120T030000Z-acme")
    assert run.waiting() == ["github_repos"]
    run.records["github_repos"] = record("github_repos", 1)
    assert run.waiting() == ["github_pull_requests__7"]


@pytest.mark.parametrize(
    ("difference", "is_equal", "said"),
    [
        pytest.param(0, True, "now 3: equal", id="equal"),
        pytest.param(-1, True, "now 3 (+1): changed since", id="more since"),
        pytest.param(1, False, "now 3 (-1): what the run counted is gone", id="fewer"),
    ],
)
def test_pull_requests_are_compared_with_the_number_of_their_repository(
    source: sources.Account, now: Probe, difference: int, is_equal: bool, said: str
) -> None:
    assert sorted(now.pull_requests.values(), key=str) == [3, 3]
    task = f"github_pull_requests__{next(iter(now.pull_requests))}"
    found = comparing_github.compare(record(task, 3 + difference, mark={"watermark": "x"}), source, now)
    assert (found.is_equal, found.table) == (is_equal, task)
    assert found.text.endswith(said)


@pytest.mark.parametrize(
    ("task", "mark", "said"),
    [
        pytest.param("github_pull_requests__7", None, "not complete: a full read follows", id="recent rows only"),
        pytest.param("github_pull_requests__7", {"a": 1}, "the repository is gone", id="a repository that is gone"),
        pytest.param("github_commits__7", {"a": 1}, "complete, not compared", id="commits"),
    ],
)
def test_what_cannot_be_compared_says_why(
    source: sources.Account, now: Probe, task: str, mark: dict[str, Any] | None, said: str
) -> None:
    found = comparing_github.compare(record(task, 3, mark=mark), source, now)
    assert found.is_equal is None
    assert said in found.text


def test_a_run_that_differs_from_github_exits_with_1(
    source: sources.Account, now: Probe, lake: LocalLake, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Watched(lake, "20261120T030000Z-acme", final=Final("20261120T030000Z-acme", "complete", None, (), 1))
    run.records["github_repos"] = record("github_repos", 2)
    assert smoke.verdict(run, smoke._comparer(source)) == 0
    assert "github_repos: source 2, of the run 0 known + 2 written, now 2: equal" in capsys.readouterr().out
    run.records["github_repos"] = record("github_repos", 3)
    assert smoke.verdict(run, smoke._comparer(source)) == 1
    assert "is complete, and differs from the source" in capsys.readouterr().err
