"""Prove that both engines produce the same from the same objects: see --help."""

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
from contextlib import AbstractContextManager
from pathlib import Path

from tests.proofs.parity import engines, running
from tests.proofs.parity.engines import Engine
from tests.proofs.parity.extracted import extract_twice
from tests.proofs.parity.running import Report

from emulators import snowflake
from millrace.errors import MillraceError

_SHOWN = 20


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.parity",
        description="Extract a simulated source once, load its objects into DuckDB and into Snowflake, run the whole "
        "dbt project with its tests on both, and compare every cell.",
        epilog="Snowflake is an emulator, unless MILLRACE_TEST_SNOWFLAKE is set: to the address of an account, "
        "snowflake://ACCOUNT/DATABASE?user=U&role=R&warehouse=W, for a user who signs in with the private key in "
        "MILLRACE_SNOWFLAKE_KEY (without it: as the account of this machine). Nothing is made there but tables: the "
        "database has to be as terraform apply leaves a new one, nothing loaded yet, and the role may load and build. "
        "Its stage is not over the lake of this machine, so the files are uploaded. "
        "Exit codes: 0 the same, 1 something is not, 2 it could not start.",
    )
    parser.add_argument("--developers", type=int, default=8, help="of the simulated source (default 8)")
    parser.add_argument("--days", type=int, default=30, help="(default 30)")
    parser.add_argument("--seed", type=int, default=1, help="(default 1)")
    return parser.parse_args(arguments)


def other_engine(folder: Path) -> AbstractContextManager[Engine]:
    """Return the account that the environment names, or the emulator."""
    url = os.environ.get("MILLRACE_TEST_SNOWFLAKE")
    if url:
        return engines.on_an_account(url, os.environ.get("MILLRACE_SNOWFLAKE_KEY"), folder)
    return engines.on_the_stand_in(folder)


def show(report: Report) -> None:
    """Print the builds, the comparisons, and the differences."""
    for name, outcomes in report.builds.items():
        models = [each for each in outcomes if each.kind == "model"]
        tests = [each for each in outcomes if each.kind in ("test", "unit_test")]
        say(
            f"{name}: {sum(each.is_good for each in models)} of {len(models)} models built, "
            f"{sum(each.is_good for each in tests)} of {len(tests)} tests passed"
        )
        for each in outcomes:
            if not each.is_good:
                say(f"  {each.node}: {each.status} {each.message}")
    for table in report.tables:
        found = f"{len(table.differences):,} differences" if table.differences else "the same"
        say(f"  {table.table:42} {table.rows:>7,} rows {table.cells:>9,} cells  {found}")
    for difference in report.differences[:_SHOWN]:
        say(f"  {difference}")
    marts = [table for table in report.tables if table.table.startswith("mart.")]
    say(
        f"{len(marts)} marts; {len(report.tables)} tables, {sum(table.rows for table in report.tables):,} rows, "
        f"{sum(table.cells for table in report.tables):,} cells compared: {len(report.differences):,} differences"
    )


def show_substitutes() -> None:
    """Print the checks that ran without an account."""
    say("What the emulator does not run as it is, so that only a real account shows it:")
    for statement, instead in snowflake.SUBSTITUTES.items():
        say(f"  {statement}: {instead}")


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 the command's output


def main(arguments: list[str] | None = None) -> int:
    """Run, print the report, and return the exit code."""
    options = parse(arguments)
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # the emulator's omissions are listed at the end
    warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)  # the emulator's, about itself
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="parity-") as name:
        folder = Path(name)
        try:
            extracted = extract_twice(folder, options.developers, options.days, options.seed)
            say(f"extract: {time.monotonic() - started:.1f} s")
            with engines.on_duckdb(folder) as one, other_engine(folder) as other:
                report = running.run(one, other, extracted, say)
        except (MillraceError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 the command's output
            return 2
    show(report)
    if "MILLRACE_TEST_SNOWFLAKE" not in os.environ:
        show_substitutes()
    say(f"{time.monotonic() - started:.0f} s")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    code = main()
    with Path(os.devnull).open("w") as nowhere:  # at its exit, DuckDB lists the emulator's objects in this process
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    sys.exit(code)
