"""Reading a log in pieces is reading it whole, and no piece is too large, too deep or too odd to be counted."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.usage.corpus import CASES, Case, Collected, collect, read_growing

from millrace.usage import agents, claude, event
from millrace.usage.event import Tokens
from millrace.usage.reading import Caps, LogState

LINES = [agent.name for agent in agents.AGENTS.values() if not agent.is_document]
counts = st.none() | st.integers(0, 1000)
tokens = st.builds(Tokens, counts, counts, counts, counts, counts, counts)


def cut(log: bytes, at: list[float]) -> Iterator[bytes]:
    places = sorted({0, len(log), *(int(part * len(log)) for part in at)})
    return (log[start:end] for start, end in pairwise(places))


def logs_of(agent: str) -> list[Case]:
    return [case for case in CASES if case.agent.name == agent]


@pytest.mark.parametrize("agent", LINES)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_cut_of_a_log_gives_the_events_of_the_whole(agent: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(logs_of(agent)))
    at = data.draw(st.lists(st.floats(0, 1), max_size=8))
    assert collect(case, lambda log: cut(log, at)).to_json() == case.expected


@pytest.mark.parametrize("agent", LINES)
@settings(max_examples=50, deadline=None, derandomize=True)
@given(noise=st.binary(max_size=200), at=st.floats(0, 1))
def test_noise_is_counted_and_not_raised(agent: str, noise: bytes, at: float) -> None:
    log = logs_of(agent)[0].logs[0]
    place = int(at * len(log))
    read_growing(Collected(), agents.AGENTS[agent], LogState("S1"), [log[:place] + noise + log[place:]])


@given(tokens, tokens, tokens)
def test_the_order_of_lines_does_not_matter(one: Tokens, two: Tokens, three: Tokens) -> None:
    merge = event.merge_tokens
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three).total_tokens == merge(one, merge(two, three)).total_tokens
    assert merge(one, one).total_tokens == one.total_tokens


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_response_of_claude_adds_up_to_its_counts(fresh: int, output: int, read: int, written: int) -> None:
    usage = {"input_tokens": fresh, "output_tokens": output, "cache_read_input_tokens": read}
    split = claude._tokens(usage | {"cache_creation_input_tokens": written})
    assert split.total_tokens == fresh + output + read + written


def test_a_line_over_the_cap_is_counted_once_and_not_kept() -> None:
    state, done, caps = LogState("S1"), Collected(), Caps(line_bytes=64)
    state = read_growing(done, agents.AGENTS["claude"], state, [b"x" * 40, b"y" * 40, b"z" * 400], caps)
    assert state.offset_bytes == 480
    state = read_growing(done, agents.AGENTS["claude"], state, [b'tail\n{"type":"summary"}\n{"ty'], caps)
    assert (done.lines, done.skipped) == (2, {"too_large": 1, "no_usage": 1})
    assert state.offset_bytes == 480 + len(b'tail\n{"type":"summary"}\n')


def test_a_whole_line_over_the_cap_is_counted() -> None:
    done = Collected()
    read_growing(done, agents.AGENTS["claude"], LogState("S1"), [b"x" * 65 + b"\n"], Caps(line_bytes=64))
    assert done.skipped == {"too_large": 1}


def test_a_state_is_what_its_json_says() -> None:
    state = LogState("S1", 7, True, "app", "openai", "gpt-5", (1, 2, 3, 4, 5), "S0", True)
    assert LogState.parse(state.to_json()) == state
