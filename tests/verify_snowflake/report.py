"""The report of a verification, as Markdown for docs/snowflake.md: without names of account and user, without a key."""

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

from tests.verify_snowflake.place import Place, without_names
from tests.verify_snowflake.steps import Outcome

_PACKAGES = ("snowflake-connector-python", "dbt-core", "dbt-snowflake")


def written(outcomes: Sequence[Outcome], place: Place, at: datetime, seconds: float) -> str:
    """Return the report: what was used, a table of the steps, and the evidence of each."""
    passed = sum(not each.error for each in outcomes)
    shared = place.shared
    lines = [
        f"### Verified on {_where(place)}, {at:%Y-%m-%d %H:%M} UTC",
        "",
        f"`make verify-snowflake`: {passed} of {len(outcomes)} steps passed in {seconds:.0f} s, over a simulated "
        f"source of {place.developers} developers and {place.days} days.",
        "",
        f"Snowflake {shared.get('version', 'unknown')}, region {shared.get('region', 'unknown')}, edition not reported "
        f"by Snowflake; {', '.join(f'{name} {version(name)}' for name in _PACKAGES)}.",
        "",
        "| step | question | result | seconds |",
        "|---|---|---|---|",
        *(f"| {each.step.name} | {each.step.question} | {each.result} | {each.seconds:.1f} |" for each in outcomes),
        "",
    ]
    for each in outcomes:
        said = [*each.evidence, *([f"**{each.error}**"] if each.error else [])]
        lines += [f"**{each.step.name}**", "", *(f"- {_in_a_line(line)}" for line in said), ""]
    return without_names("\n".join(lines), place.address)


def _where(place: Place) -> str:
    return "an emulator at another address" if place.address.host else "account ACCOUNT"


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
