"""The deployment that a smoke test runs against, from Terraform's outputs; and its scheduler."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from terraform.checks.google import Google, part
from terraform.checks.settings import Settings, WrongSettings
from terraform.checks.sources import Account

from millrace.errors import TerminalError
from millrace.lake import Lake
from millrace.lake.names import RUN_ID, account_of, started_at
from millrace.runs import Plan, read_plan

_OUTPUT_S = 120.0
_CLOCKS_S = 300.0  # by which this machine's clock may be ahead of Google's
_PLAN = re.compile(rf"runs/({RUN_ID})/plan\.json")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was deployed: its project, region, lake, schedule, and the address of the read API.

    The schedule starts runs of `account`, which is "" for the source of source_url.
    """

    project: str
    region: str
    lake: str
    schedule: str
    api_url: str | None
    account: str = ""

    @classmethod
    def of(cls, settings: Settings, outputs: Mapping[str, Any], source: Account | None = None) -> "Deployment":
        """Return the deployment of these settings, with the schedule of a source (None: that of source_url).

        Raises WrongSettings where Terraform made no lake, or no such schedule.
        """
        if source is None and settings.text("source_url") is None:
            raise WrongSettings("source_url is not set: expected --source with a key of the variable sources")
        buckets = outputs.get("buckets")
        lake = buckets.get("lake") if isinstance(buckets, dict) else None
        if not isinstance(lake, str) or not lake.startswith("gs://"):
            again = f"make deploy ENV={settings.environment}"
            raise WrongSettings(f"terraform output: expected buckets with the lake, got none; run {again}")
        api_url = outputs.get("api_url")
        name = f"{settings.prefix}{f'{source.label}-start' if source else 'start-run'}"
        url = api_url if isinstance(api_url, str) else None
        return cls(settings.project, settings.region, lake, name, url, source.account if source else "")

    @property
    def job(self) -> str:
        """Return the full name of the schedule that starts runs."""
        return f"projects/{self.project}/locations/{self.region}/jobs/{self.schedule}"


def outputs(settings: Settings) -> dict[str, Any]:
    """Return Terraform's outputs of the environment's workspace; WrongSettings where they cannot be read."""
    command = ["terraform", f"-chdir={settings.folder}", "output", "-json"]
    try:
        done = subprocess.run(  # noqa: S603 Terraform itself
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_OUTPUT_S,
            env=os.environ | {"TF_WORKSPACE": settings.environment},
        )
    except FileNotFoundError:
        raise WrongSettings("terraform is not installed; or pass --lake gs://BUCKET") from None
    except subprocess.TimeoutExpired:
        raise WrongSettings(f"terraform output: no answer within {_OUTPUT_S:.0f} s") from None
    if done.returncode:
        reason = [line.strip("│╷╵ ") for line in done.stderr.splitlines() if line.strip("│╷╵ ")]
        raise WrongSettings(f"terraform output: {' '.join(reason)[:300]}")
    return {name: each.get("value") for name, each in json.loads(done.stdout or "{}").items()}


def start(google: Google, deployment: Deployment) -> str | None:
    """Start a run as the schedule does; return the reason if the schedule cannot be started."""
    state = part(google.get("cloudscheduler", f"v1/{deployment.job}"), "state", str, "")
    if state != "ENABLED":
        return f"the schedule {deployment.schedule} is {state or 'in no known state'}"
    google.post("cloudscheduler", f"v1/{deployment.job}:run", {})
    return None


def last_attempt(google: Google, deployment: Deployment) -> str:
    """Return what the scheduler notes of its last call."""
    found = google.get("cloudscheduler", f"v1/{deployment.job}")
    at = part(found, "lastAttemptTime", str, "") or "never"
    status = part(found, "status", dict, {})
    code = part(status, "code", int, 0)
    outcome = f"status {code} {part(status, 'message', str, '')}".strip() if code else "no error is noted"
    return f"the scheduler's last call: {at}, {outcome}"


def runs_around(lake: Lake, moment: datetime, account: str = "") -> set[str]:
    """Return the runs of an account with a plan, whose scheduled day is the day of a moment, or next to it."""
    days = [(moment + timedelta(days=number)).strftime("%Y%m%d") for number in (-1, 0, 1)]
    names = (stored.version.name for day in days for stored in lake.list(f"runs/{day}T"))
    return {found[1] for name in names if (found := _PLAN.fullmatch(name)) and account_of(found[1]) == account}


def newest_since(lake: Lake, runs: Iterable[str], moment: datetime) -> Plan | None:
    """Return the plan of the newest run that was scheduled after a moment; None without one."""
    for run_id in sorted(runs, reverse=True):
        try:
            if started_at(run_id) < moment - timedelta(seconds=_CLOCKS_S):
                return None
            return read_plan(lake, run_id)
        except (ValueError, TerminalError):  # not a moment, or a damaged plan: not of this call
            continue
    return None
