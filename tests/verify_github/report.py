"""The report of a verification, as Markdown: without the token, and without a name of a person."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.verify_github.comparing import Line

from millrace.laptop.looking import Look
from millrace.laptop.report import Report

_NEVER = (
    "Not seen by design: the text of comments and reviews, diffs, files, bodies of pull requests (unless "
    "MILLRACE_BODIES is on), commits of branches without a pull request, and other repositories than this one."
)


@dataclass(frozen=True, slots=True)
class Verified:
    """All that a verification found out."""

    look: Look
    repository: str
    first: Report
    again: Report
    windows: Sequence[tuple[object, ...]]
    lines: Sequence[Line]
    own_requests: int

    @property
    def is_good(self) -> bool:
        """Whether nothing is missing, all is complete, and GitHub's numbers are those that are here."""
        return (
            self.look.is_good and self.first.is_good and self.again.is_good and all(each.is_same for each in self.lines)
        )


def written(found: Verified, at: datetime, seconds: float) -> str:
    """Return the report."""
    return "\n".join(_lines(found, at, seconds)) + "\n"


def _lines(found: Verified, at: datetime, seconds: float) -> Iterator[str]:
    verdict = "all agrees" if found.is_good else "see what differs"
    yield f"### {found.repository} at {found.look.source}, {at:%Y-%m-%d %H:%M} UTC"
    yield ""
    yield f"`make verify-github`: {verdict}, in {seconds:.0f} s."
    yield ""
    yield from (f"- {each}" for each in found.look.findings if each.what != "token")
    yield from ("", "| what | at GitHub | here | |", "|---|---|---|---|")
    yield from (
        f"| {each.what} | {each.at_github} | {each.here} | {'✓' if each.is_same else '✗'} |" for each in found.lines
    )
    yield from ("", "| part | state | rows | at the source | reason |", "|---|---|---|---|---|")
    for what, name, state, rows, total, reason in found.windows:
        yield f"| {what} of {name} | {state} | {rows} | {total} | {reason or ''} |"
    yield ""
    for words, report in (("First load", found.first), ("Second run", found.again)):
        requests = sum(line.requests for line in report.tables)
        read = ", ".join(f"{line.table} {line.written:,}" for line in report.tables if line.written)
        took = f"{requests:,} requests in its last run, {report.seconds['total']:.0f} s"
        yield f"- {words}: {took}; rows: {read or 'none'}."
        yield from (f"  - ✗ {problem}" for problem in report.problems)
    yield f"- Compared with {found.own_requests:,} requests of its own."
    yield f"- {_NEVER}"
