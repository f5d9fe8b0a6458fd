"""Every log of the corpus gives the events that its case says, however it is cut on the way."""

import pytest
from tests.collect.parsers.corpus import CASES, CORPUS, Case, collect, within_lines

from millrace.collect.parsers import agents

LINES = [case for case in CASES if not case.agent.is_document]


def at_each_line(log: bytes) -> list[bytes]:
    return log.splitlines(keepends=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_log_gives_what_its_case_says(case: Case) -> None:
    assert collect(case).to_json() == case.expected


@pytest.mark.parametrize("case", LINES, ids=str)
def test_a_log_that_is_cut_at_each_line_gives_the_same(case: Case) -> None:
    assert collect(case, at_each_line).to_json() == case.expected


@pytest.mark.parametrize("case", LINES, ids=str)
def test_a_log_that_is_cut_within_lines_gives_the_same(case: Case) -> None:
    assert collect(case, within_lines).to_json() == case.expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_log_that_is_read_again_changes_no_event(case: Case) -> None:
    once = collect(case).events
    again = collect(Case(case.agent, case.name, case.logs * 2, case.session_id, case.expected)).events
    assert again == once


def test_every_agent_has_cases_and_every_case_an_agent() -> None:
    assert {case.agent.name for case in CASES} == set(agents.AGENTS)
    assert len(CASES) == len([path for path in CORPUS.glob("*/*") if path.is_dir()])
