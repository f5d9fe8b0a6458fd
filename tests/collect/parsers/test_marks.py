"""A byte order mark before a log costs no line of it."""

import pytest
from tests.collect.parsers.corpus import CASES, Case, collect

from millrace.collect.parsers import agents
from millrace.collect.parsers.reading import LogState

_MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_log_with_a_byte_order_mark_yields_the_same(case: Case) -> None:
    whole = collect(case, lambda log: [_MARK + log])
    assert whole.to_json() == case.expected


@pytest.mark.parametrize("line", ['{"type":"summary"}', '{"type":"new"}', '{"type":"user","message":7}', "[]"])
def test_the_first_line_has_its_own_reason(line: str) -> None:
    readings = [agents.AGENTS["claude"].read(mark + line.encode() + b"\n", LogState("S1")) for mark in (b"", _MARK)]
    assert readings[0].skipped == readings[1].skipped
    assert "not_json" not in readings[1].skipped
