"""A log read in pieces yields the same events as one read whole; every piece is counted, however large, deep or odd."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st
from tests.collect.parsers.corpus import CASES, Case, Collected, collect, read_growing

from millrace.collect.parsers import agents, claude_usage, cline, codex, event
from millrace.collect.parsers.codex_thread import Thread
from millrace.collect.parsers.event import Tokens, UsageEvent
from millrace.collect.parsers.reading import LogState, ParserLimits

DOCUMENTS = [name for name, agent in agents.FORMS.items() if agent.is_document]
LINES = [name for name, agent in agents.FORMS.items() if not agent.is_document]
counts = st.none() | st.integers(0, 1000)
readings = st.builds(
    UsageEvent,
    agent=st.just("claude"),
    session_id=st.sampled_from(["S1", "S2"]),
    message_id=st.just("m1"),
    request_id=st.none(),
    role=st.just("assistant"),
    occurred_at=st.sampled_from([datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]),
    project=st.sampled_from([None, "app", "web"]),
    model=st.sampled_from([None, "claude-a", "claude-b"]),
    speed=st.sampled_from([None, "standard", "fast"]),
    tokens=st.builds(Tokens, counts, counts, counts, counts, counts, counts),
    is_estimated=st.booleans(),
    cost_usd=st.none() | st.decimals(0, 9, places=2),
)
unhurried = settings(deadline=None, derandomize=True)  # the machine may be busy


def cut(log: bytes, at: list[float]) -> Iterator[bytes]:
    places = sorted({0, len(log), *(int(part * len(log)) for part in at)})
    return (log[start:end] for start, end in pairwise(places))


def logs_of(agent: str) -> list[Case]:
    return [case for case in CASES if case.agent is agents.FORMS[agent]]


@pytest.mark.parametrize("agent", LINES)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_log_read_in_pieces_yields_events_of_whole(agent: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(logs_of(agent)))
    at = data.draw(st.lists(st.floats(0, 1), max_size=8))
    assert collect(case, lambda log: cut(log, at)).to_json() == case.expected


@pytest.mark.parametrize("agent", DOCUMENTS)
@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.data())
def test_document_read_while_being_written_yields_events_of_whole(agent: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(logs_of(agent)))
    part = data.draw(st.floats(0, 1))
    assert collect(case, lambda log: [log[: int(part * len(log))], log]).to_json() == case.expected


@pytest.mark.parametrize("agent", agents.FORMS)
@settings(max_examples=50, deadline=None, derandomize=True)
@given(noise=st.binary(max_size=200), at=st.floats(0, 1))
def test_noise_is_counted_and_not_raised(agent: str, noise: bytes, at: float) -> None:
    log = logs_of(agent)[0].logs[0]
    place = int(at * len(log))
    noisy = log[:place] + noise + log[place:]
    state = read_growing(Collected(), agents.FORMS[agent], LogState("S1"), [noisy])
    assert 0 <= state.offset_bytes <= len(noisy)


@unhurried
@given(readings, readings, readings)
def test_event_merge_is_independent_of_order(one: UsageEvent, two: UsageEvent, three: UsageEvent) -> None:
    assert event.merge(one, two) == event.merge(two, one)
    assert event.merge(event.merge(one, two), three) == event.merge(one, event.merge(two, three))
    assert event.merge(one, one) == one


@unhurried
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_response_of_claude_adds_up_to_its_counts(fresh: int, output: int, read: int, written: int) -> None:
    usage = {"input_tokens": fresh, "output_tokens": output, "cache_read_input_tokens": read}
    split = claude_usage.read_tokens(usage | {"cache_creation_input_tokens": written})
    assert split.total_tokens == fresh + output + read + written


grown = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


@unhurried
@given(st.lists(grown, max_size=6), st.lists(st.integers(1, 3), min_size=6, max_size=6))
def test_a_session_of_codex_adds_up_to_its_last_counter(growth: list[tuple[int, ...]], times: list[int]) -> None:
    sums, lines = [0] * 5, list[dict[str, object]]()
    for (fresh, cached, written, said, thought), count in zip(growth, times, strict=False):
        added = (fresh + cached + written, cached, written, said + thought, thought)
        sums = [before + more for before, more in zip(sums, added, strict=True)]
        info = {"total_token_usage": dict(zip(codex._COUNTERS, sums, strict=True))}
        payload = {"type": "token_count", "info": info}
        lines += [{"type": "event_msg", "timestamp": "2026-01-02T03:00:00Z", "payload": payload}] * count
    log = "".join(json.dumps(line) + "\n" for line in lines).encode()
    events = codex.read(log, LogState("S1")).events
    assert sum(event.tokens.total_tokens for event in events) == sums[0] + sums[3]
    assert sum(event.tokens.reasoning_tokens or 0 for event in events) == sums[4]


@unhurried
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_request_with_protocol_totals_input_and_output(fresh: int, output: int, read: int, written: int) -> None:
    came_in = fresh + read + written
    info = {"tokensIn": came_in, "tokensOut": output, "cacheReads": read, "cacheWrites": written}
    assert cline._tokens(info | {"apiProtocol": "openai"}).total_tokens == came_in + output


def test_a_document_over_the_cap_is_counted() -> None:
    done = Collected()
    read_growing(done, agents.AGENTS["cline"], LogState("T1"), [b"[1, 2, 3]"], ParserLimits(document_bytes=8))
    assert (done.lines, done.skipped) == (1, {"too_large": 1})


def test_a_line_over_the_cap_is_counted_once_and_not_kept() -> None:
    state, done, caps = LogState("S1"), Collected(), ParserLimits(line_bytes=64)
    state = read_growing(done, agents.AGENTS["claude"], state, [b"x" * 40, b"y" * 40, b"z" * 400], caps)
    assert state.offset_bytes == 480
    state = read_growing(done, agents.AGENTS["claude"], state, [b'tail\n{"type":"summary"}\n{"ty'], caps)
    assert (done.lines, done.skipped) == (2, {"too_large": 1, "no_usage": 1})
    assert state.offset_bytes == 480 + len(b'tail\n{"type":"summary"}\n')


def test_a_whole_line_over_the_cap_is_counted() -> None:
    done = Collected()
    read_growing(done, agents.AGENTS["claude"], LogState("S1"), [b"x" * 65 + b"\n"], ParserLimits(line_bytes=64))
    assert done.skipped == {"too_large": 1}


def test_log_state_survives_json_round_trip() -> None:
    thread = Thread(
        "S0", "S2", 4, True, totals=(1, 2, 3, 4, 5), recorded=(1, 0, 0, 1, 0), speed="fast", prompts=(0, 2, 1)
    )
    state = LogState("S1", 7, True, "app", "openai", "gpt-5", 3, "S0", True, thread, "line:a1")
    assert LogState.parse(state.to_json()) == state


def test_log_state_of_another_version_is_read() -> None:
    older = {"session_id": "S1", "offset_bytes": 7, "totals": [1, 2, 3, 4, 5], "counter": "token_count"}
    newer = {"session_id": "S1", "offset_bytes": 7, "thread": {"root_id": "S0", "colour": "red"}}
    assert LogState.parse(json.dumps(older)) == LogState("S1", 7)
    assert LogState.parse(json.dumps(newer)) == LogState("S1", 7, thread=Thread("S0"))
