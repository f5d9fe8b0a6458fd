"""Prove that both engines produce the same from the same objects: see --help."""

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

from tests.proofs.parity import engines, running
from tests.proofs.parity.engines import Parameters
from tests.proofs.parity.extracted import Extracted, extract_twice
from tests.proofs.parity.running import Report

from emulators import snowflake
from millrace.errors import MillraceError

_SHOWN = 20
IN_LOS_ANGELES: Parameters = {"timezone": "America/Los_Angeles", "timestamp_type_mapping": "TIMESTAMP_LTZ"}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.parity",
        description="Extract a simulated source once, load its objects into DuckDB and into Snowflake, run the whole "
        "dbt project with its tests on both, and compare every cell.",
        epilog="Snowflake is an emulator: make verify-snowflake compares a real account in the same way. Without "
        "--timezone and --timestamp-type-mapping it runs twice: with the defaults of an account, and with sessions "
        "in Los Angeles, where TIMESTAMP has a zone. "
        "Exit codes: 0 the same, 1 something is not, 2 it could not start.",
    )
    parser.add_argument("--developers", type=int, default=8, help="of the simulated source (default 8)")
    parser.add_argument("--days", type=int, default=30, help="(default 30)")
    parser.add_argument("--seed", type=int, default=1, help="(default 1)")
    parser.add_argument("--timezone", help="TIMEZONE of the emulated account")
    parser.add_argument("--timestamp-type-mapping", help="TIMESTAMP_TYPE_MAPPING of the emulated account")
    return parser.parse_args(arguments)


def accounts(options: argparse.Namespace) -> list[Parameters]:
    """Return the parameters of the emulated accounts to compare with: the given ones, or those of two accounts."""
    given = Parameters()
    if options.timezone:
        given["timezone"] = options.timezone
    if options.timestamp_type_mapping:
        given["timestamp_type_mapping"] = options.timestamp_type_mapping
    return [given] if given else [{}, IN_LOS_ANGELES]


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
            reports = [_compared(folder, extracted, parameters) for parameters in accounts(options)]
        except (MillraceError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 the command's output
            return 2
    show_substitutes()
    say(f"{time.monotonic() - started:.0f} s")
    return 0 if all(report.is_good for report in reports) else 1


def _compared(folder: Path, extracted: Extracted, parameters: Parameters) -> Report:
    """Compare DuckDB with the emulator of an account that has these parameters; print the report and return it."""
    said = ", ".join(f"{name} {value}" for name, value in parameters.items())
    say(f"an account with {said or 'the defaults of Snowflake'}")
    own = Path(tempfile.mkdtemp(dir=folder))
    with engines.on_duckdb(own) as one, engines.on_the_emulator(own, folder / "lake", **parameters) as other:
        report = running.run(one, other, extracted, say)
    show(report)
    return report


if __name__ == "__main__":
    code = main()
    with Path(os.devnull).open("w") as nowhere:  # at its exit, DuckDB lists the emulator's objects in this process
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    sys.exit(code)
