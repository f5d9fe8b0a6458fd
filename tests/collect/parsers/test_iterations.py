"""Lines of one response repeat its iterations while it streams: the last line's counts are billed, once."""

import json

from hypothesis import given, strategies as st

from millrace.collect.parsers import claude
from millrace.collect.parsers.event import resolve
from millrace.collect.parsers.reading import LogState

_FIELDS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_iterations = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["message", "advisor_message", "compaction"])}
        | {name: st.integers(0, 9) for name in _FIELDS},
        optional={"model": st.sampled_from(["claude-sonnet-5", "claude-opus-5", None])},
    ),
    max_size=6,
)


def line(iterations: list[dict[str, object]], *, is_last: bool) -> bytes:
    """Return a line of a response that was made of these iterations so far."""
    own = [one for one in iterations if one["type"] == "message" and one.get("model") in (None, "claude-sonnet-5")]
    top = {name: sum(int(str(one[name])) for one in own) for name in _FIELDS}
    message = {
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "stop_reason": "end_turn" if is_last else None,
        "usage": {**top, "iterations": iterations},
    }
    head = {"type": "assistant", "uuid": "a1", "sessionId": "S1", "requestId": "req_1", "version": "2.1.240"}
    return json.dumps({**head, "timestamp": "2026-11-20T10:00:00Z", "message": message}).encode() + b"\n"


def billed(lines: list[bytes]) -> list[dict[str, object]]:
    events = [event for one in lines for event in claude.read(one, LogState("S1")).events]
    return sorted((event.to_json() for event in resolve(events)), key=lambda event: str(event["message_id"]))


@given(_iterations, st.lists(st.integers(0, 6)))
def test_lines_of_a_stream_in_any_order_are_billed_as_the_last_one(
    iterations: list[dict[str, object]], cuts: list[int]
) -> None:
    last = line(iterations, is_last=True)
    streamed = [line(iterations[:cut], is_last=False) for cut in cuts]
    assert billed([*streamed, last, last]) == billed([last, *reversed(streamed)]) == billed([last])


@given(_iterations)
def test_all_tokens_of_all_iterations_are_billed(iterations: list[dict[str, object]]) -> None:
    in_a_chain = [one for one in iterations if one["type"] == "message" and one.get("model") == "claude-opus-5"]
    wanted = [one for one in iterations if one not in in_a_chain]
    total = sum(int(str(one[name])) for one in wanted for name in _FIELDS)
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    events = billed([line(wanted, is_last=True)])
    assert sum(int(str(event[name] or 0)) for event in events for name in names) == total
    asked = [one for one in wanted if one["type"] != "message" and any(one[name] for name in _FIELDS)]
    assert len(events) <= 1 + len(asked)
