"""Start a run of a deployment, wait for its end, and compare it with the source: `make smoke ENV=dev`."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "src")]

from google.cloud.storage import Client  # noqa: E402
from terraform.checks import accounts, comparing_github, deployment, settings, sources  # noqa: E402
from terraform.checks.comparing import Compared, compare  # noqa: E402
from terraform.checks.deployment import Deployment  # noqa: E402
from terraform.checks.google import Google, NotSignedIn, Refused, Unanswered  # noqa: E402
from terraform.checks.watching import Watched, watch  # noqa: E402

from millrace import log  # noqa: E402
from millrace.cli.output import ATTENTION, DONE, FAILED, INTERRUPTED, USAGE, fail, say  # noqa: E402
from millrace.errors import ConfigError, MillraceError, TransientError  # noqa: E402
from millrace.lake.gcs import GcsLake  # noqa: E402
from millrace.runs import Plan, TaskRecord, next_run_id  # noqa: E402

_FIND_S = 180.0  # from the scheduler's call to the plan: a start from nothing, and the time it retries


def main(arguments: Sequence[str]) -> int:
    """Run the smoke test, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        read = settings.read(PROJECT / "terraform", options.environment, options.var, os.environ)
        found = {"buckets": {"lake": options.lake}} if options.lake else deployment.outputs(read)
        source = sources.account_of(read, options.source) if options.source else None
        return _smoke(Deployment.of(read, found, source), read, source, options.timeout * 60)
    except settings.WrongSettings as error:
        return fail(USAGE, error)
    except NotSignedIn as error:
        return fail(USAGE, f"{error}; gcloud auth login --update-adc")
    except ConfigError as error:
        return fail(USAGE, error)
    except (Refused, Unanswered, TransientError) as error:
        return fail(FAILED, error)
    except MillraceError as error:
        return fail(ATTENTION, error)
    except KeyboardInterrupt:
        return fail(INTERRUPTED, "interrupted; a run that was started goes on")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make smoke",
        description="Start a run as an operator does, wait for its final object, and compare its rows with the source.",
        epilog='example: make smoke ENV=dev ARGS="--source acme --timeout 30"; exit codes: 0 complete and equal, '
        "1 failed or not equal, 2 wrong settings, 3 not reached or not ended in time, 130 interrupted",
    )
    parser.add_argument("environment", metavar="ENV", help="dev or prod: a file of terraform/envs, and a workspace")
    parser.add_argument(
        "--var", "-var", action="append", default=[], metavar="NAME=VALUE", help="a variable of Terraform; repeatable"
    )
    parser.add_argument("--source", metavar="KEY", help="a source of the variable sources, not that of source_url")
    parser.add_argument("--lake", metavar="gs://BUCKET", help="the lake; without it terraform output names it")
    parser.add_argument("--timeout", type=_minutes, default=60.0, metavar="MINUTES", help="for the run (default: 60)")
    return parser


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= 7 * 24 * 60:
        raise ValueError
    return minutes


def _smoke(here: Deployment, read: settings.Settings, source: sources.Account | None, timeout_s: float) -> int:
    google = Google.sign_in(here.project)
    lake = GcsLake(Client(project=here.project), here.lake.removeprefix("gs://").rstrip("/"))
    asked_at, began = datetime.now(UTC), time.monotonic()
    before = deployment.runs_around(lake, asked_at, here.account)
    if why := deployment.start(google, here):
        return fail(ATTENTION, f"{why}; gcloud scheduler jobs resume {here.schedule} {_place(here)}")
    say(f"asked {here.job} for a run")
    plan = _find(lake, here, before, asked_at, min(_FIND_S, timeout_s))
    if plan is None:
        return fail(FAILED, f"no run was started in time; {deployment.last_attempt(google, here)}")
    say(f"run {plan.run_id}")

    def report(line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        say(f"  {minutes:02}:{seconds:02}  {line}")

    run = Watched(lake, plan.run_id)
    try:
        watch(run, began + timeout_s, time.monotonic, time.sleep, report)
    finally:
        for line in _traces(here, plan.run_id):
            say(line)
    if follows := next_run_id(plan):
        say(f"run {follows} follows, and reads everything")
    return verdict(run, _comparer(source) if source else _client(read))


def _find(lake: GcsLake, here: Deployment, before: set[str], asked_at: datetime, timeout_s: float) -> Plan | None:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        new = deployment.runs_around(lake, datetime.now(UTC), here.account) - before
        if plan := deployment.newest_since(lake, new, asked_at):
            return plan
        time.sleep(1.0)
    return None


_Comparer = Callable[[TaskRecord], Compared]


def _client(read: settings.Settings) -> _Comparer | None:
    """Return the comparison with the source of source_url; None without its key."""
    try:
        client = accounts.source(read)
    except ConfigError as error:
        say(f"the source is not compared: {error}")
        return None
    return lambda record: compare(record, client)


def _comparer(source: sources.Account) -> _Comparer | None:
    """Return the comparison with GitHub as it is now; None without the secret, or where it cannot be asked."""
    try:
        now = source.asked().probe()
    except MillraceError as error:
        say(f"the source is not compared: {error}")
        return None
    return lambda record: comparing_github.compare(record, source, now)


def verdict(run: Watched, comparer: _Comparer | None) -> int:
    """Compare an ended run with the source, print the result for each task, and return the exit code."""
    if run.final is None or run.final.status != "complete":
        return fail(ATTENTION, f"run {run.run_id} failed: {run.final.reason if run.final else 'no reason is known'}")
    is_equal = True
    for record in run.records.values():
        found = comparer(record) if comparer else compare(record, None)
        is_equal &= found.is_equal is not False
        say(f"  {found.table}: {found.text}")
    if not is_equal:
        return fail(ATTENTION, f"run {run.run_id} is complete, and differs from the source")
    say(f"run {run.run_id} is complete" + (" and equal to the source" if comparer else ""))
    return DONE


def _traces(here: Deployment, run_id: str) -> list[str]:
    trace = log.trace_id_of(run_id)
    return [
        f"trace: https://console.cloud.google.com/traces/list?project={here.project}&tid={trace}",
        f"log: gcloud logging read 'jsonPayload.run_id=\"{run_id}\"' --project={here.project} --order=asc --limit=500",
    ]


def _place(here: Deployment) -> str:
    return f"--location={here.region} --project={here.project}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
