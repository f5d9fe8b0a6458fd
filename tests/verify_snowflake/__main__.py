"""Verify that a Snowflake account does what this project expects of it: see --help."""

import argparse
import logging
import os
import sys
import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path

from tests.verify_snowflake import report, steps
from tests.verify_snowflake.place import KEY, Place, claim, now, provision, read, require_warehouse
from tests.verify_snowflake.steps import STEPS

from millrace.errors import MillraceError, first_line

_EXAMPLE = """example:
  export MILLRACE_TEST_SNOWFLAKE='snowflake://organization-account/MILLRACE_TEST?user=U&role=R&warehouse=W'
  export MILLRACE_SNOWFLAKE_KEY="$(cat key.p8)"
  make verify-snowflake ARGS="--provision"

The user signs in with the private key in MILLRACE_SNOWFLAKE_KEY (without it: as the account of this machine). The
database is one of its own, owned by the role: as terraform apply leaves it, or made by --provision. Everything in its
tables is removed; a database with loads of others is refused. Drop it when you are done.

exit codes: 0 all steps passed, 1 a step failed, 2 it could not start."""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make verify-snowflake",
        description="Load, build, publish and read in a database of a Snowflake account, compare with DuckDB, and "
        "write what the account answered as a report that can be pasted into docs/snowflake.md.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [step.name for step in STEPS]
    parser.add_argument("--list", action="store_true", help="list the steps, and end")
    parser.add_argument("--only", metavar="STEP", action="append", default=[], choices=names, help="run this step and "
                        "those that it needs; may be repeated")  # fmt: skip
    parser.add_argument("--report", metavar="FILE", type=Path, default=Path("verify-snowflake.md"), help="(default "
                        "verify-snowflake.md)")  # fmt: skip
    parser.add_argument("--provision", action="store_true", help="create the database and what is missing in it")
    parser.add_argument("--developers", type=int, default=8, help="of the simulated source (default 8)")
    parser.add_argument("--days", type=int, default=30, help="of the simulated source (default 30)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the steps, write the report, and return the exit code."""
    options = parse(arguments)
    if options.list:
        for step in STEPS:
            say(f"{step.name:12} {step.question}")
        return 0
    logging.getLogger("snowflake").setLevel(logging.CRITICAL)  # what an account answers is in the report
    warnings.filterwarnings("ignore")
    at = now()
    with tempfile.TemporaryDirectory(prefix="verify-") as folder, ExitStack() as closing:
        try:
            place = Place(read(os.environ), Path(folder), options.developers, options.days, closing)
            if place.address.private_key is None:
                say(f"{KEY} is not set: this machine's own Google account signs in")
            require_warehouse(place.address)
            if options.provision:
                provision(place.address)
            claim(place.address)
        except MillraceError as error:
            print(f"error: {first_line(error)}", file=sys.stderr)  # noqa: T201 the command's output
            return 2
        outcomes = steps.run(steps.chosen(options.only), place, say)
        options.report.write_text(report.written(outcomes, place, at, place.seconds()))
    failed = [each.step.name for each in outcomes if each.error]
    say(f"{options.report} is written; " + (f"failed: {', '.join(failed)}" if failed else "all steps passed"))
    return 1 if failed else 0


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 the command's output


if __name__ == "__main__":
    sys.exit(main())
