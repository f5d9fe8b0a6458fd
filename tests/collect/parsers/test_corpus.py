"""Every log of the corpus yields the events of its case, wherever it is cut while it is read."""

from dataclasses import replace

import pytest
from tests.collect.parsers.corpus import CASES, CORPUS, Case, collect, within_lines

from millrace.collect.parsers import agents

LINES = [case for case in CASES if not case.agent.is_document]


def at_each_line(log: bytes) -> list[bytes]:
    return log.splitlines(keepends=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_log_parses_to_expected_case_output(case: Case) -> None:
    assert collect(case).to_json() == case.expected


def test_logs_cut_at_or_within_lines_yield_same_events() -> None:
    different = [
        (str(case), cut.__name__)
        for case in LINES
        for cut in (at_each_line, within_lines)
        if collect(case, cut).to_json() != case.expected
    ]
    assert different == []


def test_logs_that_are_read_again_change_no_event() -> None:
    twice = [(case, replace(case, logs=case.logs * 2)) for case in CASES]
    assert [str(case) for case, again in twice if collect(again).events != collect(case).events] == []


def test_every_agent_has_cases_and_every_case_an_agent() -> None:
    assert {id(case.agent) for case in CASES} == {id(agent) for agent in agents.FORMS.values()}
    assert len(CASES) == len([path for path in CORPUS.glob("*/*") if path.is_dir()])
