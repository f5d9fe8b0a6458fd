"""The findings of the checks: their states, and how they are printed."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    """The result of a check."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "could not check"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a deployment; `mend` is the command that mends it, where there is one."""

    group: str
    state: State
    text: str
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Makes the findings of one group."""

    name: str

    def ok(self, text: str) -> Finding:
        """Return a finding: all is there."""
        return Finding(self.name, State.OK, text)

    def missing(self, text: str, mend: str) -> Finding:
        """Return a finding: something is missing, and the command `mend` adds it."""
        return Finding(self.name, State.MISSING, text, mend)

    def unknown(self, text: str, mend: str | None = None) -> Finding:
        """Return a finding: it could not be checked, with the reason."""
        return Finding(self.name, State.UNKNOWN, text, mend)


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines to print: a heading per group, one line per finding, and a last one with their numbers."""
    group = None
    for finding in findings:
        if finding.group != group:
            group = finding.group
            yield group
        yield f"  {finding.state:<15}  {finding.text}" + (f"; to mend: {finding.mend}" if finding.mend else "")
    yield ", ".join(f"{number} {state}" for state, number in numbers(findings).items())


def numbers(findings: Sequence[Finding]) -> dict[str, int]:
    """Return the number of findings by state."""
    return {state.value: sum(finding.state == state for finding in findings) for state in State}


def to_json(findings: Sequence[Finding]) -> dict[str, object]:
    """Return the findings for a program."""
    return {"findings": [asdict(finding) for finding in findings], "numbers": numbers(findings)}


def is_ready(findings: Sequence[Finding]) -> bool:
    """Return whether every finding is ok."""
    return all(finding.state == State.OK for finding in findings)
