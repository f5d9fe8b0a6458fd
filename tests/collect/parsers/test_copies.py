"""Copies of one response become one event, in whatever order, files and number they are read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from millrace.collect.parsers.event import Tokens, UsageEvent, is_unique_id, merge_all, resolve

_START = datetime(2026, 11, 20, tzinfo=UTC)
_RANDOM = "msg_01Gk3Qw8ZrT5nXvB2hLpYs7d"
_counts = st.one_of(st.none(), st.integers(0, 3))
_events = st.builds(
    UsageEvent,
    agent=st.sampled_from(["claude", "codex", "cline"]),
    session_id=st.sampled_from(["S1", "S2", "S3"]),
    message_id=st.sampled_from(["msg_1", _RANDOM, "h-0123456789abcdef", "S1:1.0.0.2.0"]),
    request_id=st.sampled_from([None, "req_1", "req_2", "req_3", "line:a1", "line:a2", "line:a3"]),
    role=st.sampled_from(["assistant", "user"]),
    occurred_at=st.integers(0, 4).map(lambda minutes: _START + timedelta(minutes=minutes)),
    project=st.sampled_from([None, "app"]),
    model=st.sampled_from([None, "claude-opus-5", "glm-5"]),
    tokens=st.builds(Tokens, _counts, _counts, _counts, _counts, _counts),
    is_estimated=st.booleans(),
    region=st.sampled_from([None, "us"]),
    web_searches=_counts,
    is_lower_bound=st.booleans(),
)
_logs = st.lists(_events, max_size=9)


def sorted_by_key(events: list[UsageEvent]) -> list[UsageEvent]:
    return sorted(events, key=lambda event: str(event.key))


@given(_logs, st.randoms(use_true_random=False))
def test_order_and_repetition_of_events_change_nothing(events: list[UsageEvent], random: object) -> None:
    again = [*events, *events[::2]]
    random.shuffle(again)  # type: ignore[attr-defined]  # hypothesis has no public name of its type
    assert sorted_by_key(resolve(again)) == sorted_by_key(resolve(events))


@given(_logs, _logs, _logs)
def test_logs_that_were_merged_before_change_nothing(
    one: list[UsageEvent], two: list[UsageEvent], three: list[UsageEvent]
) -> None:
    merged = [*merge_all([*merge_all(one).values(), *merge_all(two).values()]).values(), *merge_all(three).values()]
    assert sorted_by_key(resolve(merged)) == sorted_by_key(resolve([*one, *two, *three]))


@given(_logs)
def test_events_that_were_resolved_have_different_keys_and_all_messages(events: list[UsageEvent]) -> None:
    resolved = resolve(events)
    assert len({event.key for event in resolved}) == len(resolved)
    assert {(event.agent, event.message_id) for event in resolved} == {
        (event.agent, event.message_id) for event in events
    }
    assert {event.key for event in resolved} <= {event.key for event in events}


@given(_logs)
def test_messages_of_an_unique_id_are_one_response(events: list[UsageEvent]) -> None:
    random = [event for event in resolve(events) if (event.agent, event.message_id) == ("claude", _RANDOM)]
    assert len(random) <= 1


@given(_logs)
def test_responses_with_requests_stay_apart_in_any_other_agent(events: list[UsageEvent]) -> None:
    others = [event for event in events if event.agent != "claude" and event.request_id]
    assert {event.key for event in others} <= {event.key for event in resolve(events)}


@pytest.mark.parametrize(
    "message_id",
    [
        *(_RANDOM, "msg_bdrk_01XFDUDYJgAACzvnptvVoYEL", "msg_vrtx_01XFDUDYJgAACzvnptvVoYEL", f"{_RANDOM}:advisor:0"),
        *(
            "7c4a1f0e-93b2-4d6e-8f51-2ab07c9de834",
            "msg_7c4a1f0e-93b2-4d6e-8f51-2ab07c9de834_12",
            "resp_68a1b2c3d4e5f60718293a4b",
        ),
        *(
            "chatcmpl-7c4a1f0e93b24d6e8f512ab07c9de834",
            "gen-1731022922-XBa1wiCU8LKbRY2aVRGq",
            "ZkHaaYuAD9Ws1MkPn4Kx4Qs",
        ),
        *("20261120101500a1b2c3d4e5f64789", "resp_bGl0ZWxsbTpj4XN0b21fbGxt", "019a5c2e-7b1d-7c3f-9a8e-5d4c3b2a1f0e"),
    ],
)
def test_an_id_with_a_random_part_is_unique(message_id: str) -> None:
    assert is_unique_id(message_id)


@pytest.mark.parametrize(
    "message_id",
    [
        *("msg_1", "msg_000000000000000000000001", "msg_01000000000000000000000012", "7431234567890123456", "", "ocgo"),
        *("00000000-0000-0000-0000-000000000001", "msg_00000001-0000-4000-8000-000000000001", "msg_0000000000000abc"),
        *("msg_conversationmessagenumber1", "ConversationMessage1Number2", "h-0123456789abcdef", "msg_1731022922123"),
        *("msg-2026-11-20T10-15-00-0001", "aaaaaaaaaaaaaaaaaaaaaaaa1", "message.of.the.session.1", "chatcmpl-1"),
    ],
)
def test_an_id_that_counts_is_not_unique(message_id: str) -> None:
    assert not is_unique_id(message_id)


def event(request_id: str | None, session_id: str, minutes: int, tokens: Tokens, agent: str = "claude") -> UsageEvent:
    at = _START + timedelta(minutes=minutes)
    return UsageEvent(agent, session_id, "msg_1", request_id, "assistant", at, tokens=tokens)


def test_copies_of_a_copy_are_one_response() -> None:
    copies = [event(f"line:a{n}", f"S{n // 2}", (n + 1) // 2, Tokens(9, n)) for n in range(6)]
    (one,) = resolve(copies)
    assert (one.request_id, one.session_id, one.tokens.output_tokens) == ("line:a0", "S0", 5)


def test_a_thousand_responses_of_one_id_stay_apart() -> None:
    events = [event(f"line:a{n}", "S1", n, Tokens(n + 1, 1)) for n in range(1000)]
    assert len(resolve([*events, *(replace(one, session_id="S2") for one in events)])) == 1000


def test_a_copy_of_codex_without_a_response_does_not_join_two_responses() -> None:
    events = [event(request, "S1", 1, Tokens(5, 5), "codex") for request in ("resp_1", "resp_2", None)]
    assert {one.request_id for one in resolve(events)} == {"resp_1", "resp_2"}


def test_messages_that_a_fork_of_kilo_code_copied_are_one_response() -> None:
    rows = [event(f"msg_{n}", f"S{n}", 1, Tokens(5, 5), "kilocode") for n in (2, 1)]
    other = event("msg_3", "S1", 1, Tokens(5, 6), "kilocode")
    assert [(one.request_id, one.session_id) for one in resolve([*rows, other])] == [("msg_1", "S1"), ("msg_3", "S1")]
