"""Each rule that a reported failure needs: taken away, its case is counted wrong, also with other ids and counts."""

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.collect.parsers.test_counting import RULES
from tests.proofs.usage_cases.cases import CASES
from tests.proofs.usage_cases.changing import change
from tests.proofs.usage_cases.test_tokens import collected

from millrace.collect import layouts, links, stores
from millrace.collect.parsers import claude, codex, messages
from millrace.collect.parsers.fields import MalformedError, SkipReason

pytestmark = pytest.mark.fast

BY_NUMBER = {case.name[:2]: case for case in CASES}


def nothing(*_: object) -> list[object]:
    return []


def refuse_odd_ids(record: Any, name: str) -> str | None:
    value: str | None = record.get(name)
    if value is not None and not re.fullmatch(r"\w[\w.:-]{0,199}", value, re.ASCII):
        raise MalformedError(SkipReason.BAD_NAME)
    return value


# The rule of counting, and the case that notices.
COUNTING = {
    "copies of a response name other requests": "02",
    "iterations that the top leaves out are billed": "17",
    "iterations that the top contains are not billed again": "01",
    "a call of another model has a name of its own": "01",
    "prompts are typed by a user": "02",
    "writes of an hour are kept apart": "20",
    "copies in a fork are its parent's events": "32",
    "copies of copies are the first session's": "32",
    "a counter that goes back began anew": "42",
    "a counter whose response a record names is no event": "36",
    "sessions without a common root share no event": "39",
    "reasoning is within the output": "34",
    "what was cached is within the input": "33",
    "an answer's estimate is output": "51",
    "a cache that is more than came in was not in it": "61",
}
# The replaced code, its replacement, and the case that notices.
READING: dict[str, tuple[Any, str, object, str]] = {
    "links within the home are followed": (links, "_links_below", nothing, "07"),
    "Claude Desktop has a store": (stores, "_desktop", nothing, "09"),
    "an odd id is a key": (claude, "read_id", refuse_odd_ids, "13"),
    "rollouts are compressed": (layouts, "_COMPRESSED", ".never", "31"),
    "a paginated history has prompts": (codex, "is_prompt", lambda kind, payload: False, "38"),
    "Cline has stores below the home": (stores, "_cline", nothing, "61"),
    "the sessions of Cline's CLI are a store": (stores, "_cline", nothing, "62"),
    "Kilo Code has a database": (stores, "_kilo", nothing, "64"),
    "an answer of Kilo Code is an event": (messages, "_response", lambda *_: SkipReason.NO_USAGE, "64"),
}


def is_right(folder: Path, number: str) -> bool:
    """Return whether a changed home of a case is counted right."""
    case = BY_NUMBER[number]
    random = Random(f"{number}/rules")  # noqa: S311
    case.write(folder / "home")
    factor = change(folder / "home", folder / "changed", random)
    return collected(folder / "changed", case, random) == case.counts.times(factor)


@pytest.mark.parametrize("rule", [*COUNTING, *READING])
def test_a_changed_case_notices_when_it_is_no_longer_true_that(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rule in COUNTING:
        (owner, name, mutant, _), noticed_by = RULES[rule], COUNTING[rule]
    else:
        owner, name, mutant, noticed_by = READING[rule]
    assert is_right(tmp_path / "with", noticed_by)
    monkeypatch.setattr(owner, name, mutant)
    assert not is_right(tmp_path / "without", noticed_by)
