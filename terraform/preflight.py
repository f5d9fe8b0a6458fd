"""Check what a deployment needs before `terraform apply`, without changing anything: `make preflight ENV=dev`."""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "src")]

from terraform.checks import accounts, github, places, policies, project, settings, snowflake, sources  # noqa: E402
from terraform.checks.context import Check, Context, run  # noqa: E402
from terraform.checks.findings import Finding, Group, is_ready, lines, to_json  # noqa: E402
from terraform.checks.google import TIMEOUT_S, Google, NotSignedIn, Unanswered  # noqa: E402
from terraform.checks.snowflake import Account, NoAccount  # noqa: E402

from millrace.cli.output import ATTENTION, DONE, USAGE, fail, say, say_json  # noqa: E402

CHECKS: tuple[tuple[str, Check], ...] = (
    ("credentials", accounts.check_credentials),
    ("credentials", accounts.check_gcloud),
    ("project", project.check_project),
    ("APIs", project.check_services),
    ("rights", project.check_rights),
    ("organisation policies", policies.check_policies),
    ("region", places.check_region),
    ("quotas", places.check_quotas),
    ("buckets", places.check_buckets),
    ("source", accounts.check_source),
    ("source", github.check_sources),
    ("warehouse", accounts.check_snowflake),
)
_WITHOUT_GOOGLE = (accounts.check_gcloud, accounts.check_source, github.check_sources, accounts.check_snowflake)
_LOGIN = "gcloud auth login --update-adc"


def main(arguments: Sequence[str]) -> int:
    """Run all checks, print their findings, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        deployment = settings.read(PROJECT / "terraform", options.environment, options.var, os.environ)
        sources.accounts(deployment)
    except settings.WrongSettings as error:
        return fail(USAGE, error)
    findings = check(deployment, options.browser)
    if options.json:
        say_json(to_json(findings))
    else:
        for line in lines(findings):
            say(line)
    return DONE if is_ready(findings) else ATTENTION


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make preflight",
        description="Check what a deployment needs, and change nothing. Each line is ok, missing (with the command "
        "that mends it) or could not check (with the reason). The settings are read where Terraform reads them.",
        epilog='example: TF_VAR_project_id=P make preflight ENV=dev ARGS="--var region=europe-west4 --json"; '
        "exit codes: 0 all is ok, 1 something is missing or could not be checked, 2 wrong settings",
    )
    parser.add_argument("environment", metavar="ENV", help="dev or prod: a file of terraform/envs")
    parser.add_argument(
        "--var", "-var", action="append", default=[], metavar="NAME=VALUE", help="a variable of Terraform; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for a program")
    parser.add_argument("--browser", action="store_true", help="let the sign-in to Snowflake open a browser")
    return parser


def check(
    deployment: settings.Settings,
    may_open_browser: bool = False,
    timeout_s: float = TIMEOUT_S,
    checks: Sequence[tuple[str, Check]] = CHECKS,
) -> list[Finding]:
    """Return the findings of the checks; they run at the same time."""
    with ThreadPoolExecutor(len(CHECKS) + 1, thread_name_prefix="check") as pool:
        signing_in: Future[Account | NoAccount] = pool.submit(
            snowflake.sign_in, deployment.text("snowflake_account") or "", os.environ, may_open_browser
        )
        group = Group("credentials")
        first: list[Finding] = []
        google, email = Google(None), None
        try:
            google = Google.sign_in(deployment.project, timeout_s)
            email = google.account()
        except NotSignedIn as error:
            first, checks = [group.missing(f"Google: {error}", _LOGIN)], _without_google(checks)
        except Unanswered as error:
            first, checks = [group.unknown(f"Google: {error}")], _without_google(checks)
        return first + run(Context(deployment, os.environ, google, email, signing_in), checks, pool)


def _without_google(checks: Sequence[tuple[str, Check]]) -> tuple[tuple[str, Check], ...]:
    """Return the checks; those that need Google's APIs only report that there are no credentials."""

    def unsigned(context: Context, group: Group) -> list[Finding]:
        return [group.unknown("there are no usable credentials")]

    return tuple(
        (name, each if each in _WITHOUT_GOOGLE else unsigned)
        for name, each in checks
        if each is not accounts.check_credentials
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
