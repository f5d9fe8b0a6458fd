"""The Cloud Run job, started by the real client over an emulator's HTTP."""

from collections.abc import Iterator

import pytest
from google.api_core.retry import Retry, if_transient_error

from emulators.jobs import Jobs, serving
from millrace import wiring
from millrace.build.cloud_run import CloudRunJob
from millrace.errors import ConfigError, TransientError

NAME = "projects/p/locations/europe-west1/jobs/dbt-runner"
QUICK = Retry(predicate=if_transient_error, initial=0.01, maximum=0.02, timeout=0.3)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def job(jobs: Jobs) -> Iterator[CloudRunJob]:
    with serving(jobs) as address:
        yield CloudRunJob.at(NAME, address, QUICK)


def test_started_execution_names_its_run(job: CloudRunJob, jobs: Jobs) -> None:
    job.start("20261120T060000Z")
    assert jobs.asked_by == ["20261120T060000Z"]


def test_behind_an_execution_that_has_yet_to_begin_none_is_started(job: CloudRunJob, jobs: Jobs) -> None:
    job.start("first")
    job.start("second")
    assert jobs.asked_by == ["first"]


def test_behind_an_execution_that_runs_another_is_started(job: CloudRunJob, jobs: Jobs) -> None:
    job.start("first")
    jobs.begin()
    job.start(None)
    assert jobs.asked_by == ["first", "a dropped file"]


def test_a_fault_of_the_service_is_repeated(job: CloudRunJob, jobs: Jobs) -> None:
    jobs.refusals = [503]
    job.start("first")
    assert jobs.asked_by == ["first"]


@pytest.mark.parametrize(("status", "error"), [(503, TransientError), (403, ConfigError), (404, ConfigError)])
def test_refusal_status_maps_to_permanent_or_transient_error(
    job: CloudRunJob, jobs: Jobs, status: int, error: type[Exception]
) -> None:
    jobs.refusals = [status] * 99
    with pytest.raises(error, match=NAME):
        job.start("first")
    assert jobs.requests == []


@pytest.mark.parametrize("url", ["run:", "run:///projects/p", "run://host/jobs/j", "run:///projects/p/jobs/j?x=1"])
def test_a_job_of_another_form_is_refused_with_the_form_that_was_expected(url: str) -> None:
    with pytest.raises(ConfigError, match="expected run:///projects/P/locations/R/jobs/J"):
        wiring.job_at(url)
