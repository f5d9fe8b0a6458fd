"""The dbt build as a Cloud Run job, started through its REST interface.

Two executions do no harm (see job.py): one of them finds the other's lease and exits. So only a start that is
certainly superfluous is skipped: an execution that has not begun will read the build requests after this call. A
running one may have read them for the last time, so another is started behind it.
"""

from typing import Self

from google.api_core import exceptions as refused
from google.api_core.retry import Retry, if_transient_error
from google.auth import exceptions as unauthorised
from google.auth.credentials import AnonymousCredentials
from google.cloud.run_v2 import EnvVar, Execution, ExecutionsClient, JobsClient, RunJobRequest
from google.cloud.run_v2.services.executions.transports import ExecutionsRestTransport
from google.cloud.run_v2.services.jobs.transports import JobsRestTransport

from millrace import log
from millrace.errors import ConfigError, TransientError

_TIMEOUT_S = 30.0
_NEWEST = 20  # the newest executions are listed first; pending ones are among them
_RETRY = Retry(predicate=if_transient_error, timeout=90)


class CloudRunJob:
    """One job, `projects/P/locations/R/jobs/J`."""

    def __init__(self, name: str, jobs: JobsClient, executions: ExecutionsClient, retry: Retry = _RETRY) -> None:
        self._name = name
        self._jobs = jobs
        self._executions = executions
        self._retry = retry

    @classmethod
    def at(cls, name: str, address: str | None = None, retry: Retry = _RETRY) -> Self:
        """Return the job on Cloud Run, or on its emulator at `host:port`."""
        if address is None:
            return cls(name, JobsClient(transport="rest"), ExecutionsClient(transport="rest"), retry)
        anonymous = AnonymousCredentials()
        return cls(
            name,
            JobsClient(transport=JobsRestTransport(host=address, credentials=anonymous, url_scheme="http")),
            ExecutionsClient(transport=ExecutionsRestTransport(host=address, credentials=anonymous, url_scheme="http")),
            retry,
        )

    def start(self, run_id: str | None) -> None:
        """Request a build for `run_id`; return when it is sure to begin, not when it is done."""
        try:
            waiting = self._waiting()
            if waiting is not None:
                log.info("a build is about to begin", execution=waiting.name, run_id=run_id)
                return
            self._jobs.run_job(request=self._request(run_id), retry=self._retry, timeout=_TIMEOUT_S)
        except (refused.NotFound, refused.Forbidden, refused.Unauthorized, refused.BadRequest) as error:
            raise ConfigError(f"{self._name}: {error.message}; the job and the rights are in terraform/") from error
        except unauthorised.DefaultCredentialsError as error:
            raise ConfigError(f"{self._name}: {error}") from error
        except (refused.GoogleAPICallError, refused.RetryError, unauthorised.GoogleAuthError) as error:
            raise TransientError(f"{self._name}: {error}; Cloud Run may answer later") from error
        log.info("build started", job=self._name, run_id=run_id)

    def _waiting(self) -> Execution | None:
        """Return an execution that has not begun, if there is one."""
        request = {"parent": self._name, "page_size": _NEWEST}
        page = next(self._executions.list_executions(request=request, retry=self._retry, timeout=_TIMEOUT_S).pages)
        open_ones = (each for each in page.executions if not each.completion_time and not each.delete_time)
        return next((each for each in open_ones if not each.start_time), None)

    def _request(self, run_id: str | None) -> RunJobRequest:
        """Return the request; its override shows in the execution's settings which run requested the build."""
        override = RunJobRequest.Overrides.ContainerOverride(
            env=[EnvVar(name="MILLRACE_REQUESTED_BY", value=run_id or "a dropped file")]
        )
        return RunJobRequest(name=self._name, overrides=RunJobRequest.Overrides(container_overrides=[override]))
