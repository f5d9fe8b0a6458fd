"""Verify that one repository of a GitHub is read whole: see --help."""

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.verify_github import comparing, report
from tests.verify_github.api import Api
from tests.verify_github.report import Verified

from millrace import addresses
from millrace.errors import ConfigError, MillraceError, first_line
from millrace.extract.sources.github.credentials import edition_of
from millrace.laptop.github import DEFAULT_URL, GitHubOptions, token
from millrace.laptop.looking import look
from millrace.laptop.run import InProcess, RunOptions, run

_EXAMPLE = """example:
  export GITHUB_TOKEN=…
  make verify-github ARGS="--account acme --repository shop"

The token only has to read; nothing is written at GitHub, and what is read is removed at the end. A repository with
1,000 pull requests takes about a minute and 100 points of the hour's 5,000.

exit codes: 0 all agrees, 1 something differs or was not seen, 2 it could not start, 3 GitHub failed: run it again."""


def main(arguments: list[str] | None = None) -> int:
    """Read, compare, print the report, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="make verify-github",
        description="Read one repository of GitHub whole and once again, compare with the API's own totals, and print "
        "a report, also of what was not seen.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--account", required=True, metavar="LOGIN", help="its organisation or user")
    parser.add_argument("--repository", required=True, metavar="NAME", help="its name, without the owner")
    parser.add_argument("--source-url", default=DEFAULT_URL, metavar="URL", help="an own server (default: %(default)s)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report to a file, too")
    options = parser.parse_args(arguments)
    at, started = datetime.now(UTC), time.monotonic()
    try:
        names = addresses.repositories(options.repository)
        if len(names) != 1:
            raise ConfigError(f"--repository: expected the name of one repository, got {options.repository!r}")
        source = GitHubOptions(addresses.account(options.account), options.source_url, names)
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            found = _verified(source, Path(folder))
    except ConfigError as error:
        return _fail(2, error)
    except MillraceError as error:
        return _fail(3, error)
    text = report.written(found, at, time.monotonic() - started)
    if options.report:
        options.report.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201 the command's output
    return 0 if found.is_good else 1


def _verified(source: GitHubOptions, folder: Path) -> Verified:
    found = look(source)
    asked = RunOptions(folder / "data", source, builds=False)
    first = run(asked, InProcess())
    api = Api(edition_of(source.source_url), f"{source.account}/{source.repositories[0]}", token())
    facts = api.facts()
    read = comparing.Read(first.data_dir.warehouse, source.account, int(facts["id"]))
    lines = comparing.compare(api, read)
    again = run(asked, InProcess())
    return Verified(found, str(facts["full_name"]), first, again, read.windows(), lines, api.asked)


def _fail(code: int, error: MillraceError) -> int:
    print(f"error: {first_line(error)}", file=sys.stderr)  # noqa: T201 the command's output
    return code


if __name__ == "__main__":
    sys.exit(main())
