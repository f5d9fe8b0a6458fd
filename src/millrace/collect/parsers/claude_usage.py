"""The `usage` of a response of Claude Code: its counts, and the calls of other models within it.

`iterations` are the calls that one response was made of. The counts at the top are the sum of those of type `message`,
or at first only the first one's. They leave out an advisor, which has a model of its own, and a compaction. Of a chain
of models, one of which refused, they are those of the model that answered (`fallback_message`); the refusal is not
billed. See https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool and
https://platform.claude.com/docs/en/build-with-claude/compaction.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

from millrace.collect.parsers.event import Speed, Tokens, add_tokens, merge_tokens
from millrace.collect.parsers.fields import Record, read_count, read_model, read_object, read_text

_MOST_SEARCHES = 10**6
_REGION = re.compile(r"[a-z]{2,6}")
_NO_REGIONS = ("auto", "none", "null")
_NAMES = {"advisor_message": "advisor", "compaction": "compaction"}
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", re.ASCII)
_FIRST_WITH_STOP_REASONS = (2, 1, 83)
_LARGEST_TOKEN, _LARGEST_MARGIN = 16, 64  # characters
_LARGEST_PLACEHOLDER = 32  # tokens
_UNKNOWN = Tokens()
_IN_THE_TOP = ("message", "fallback_message")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of another model within a response; `name` is unique within the response."""

    name: str
    model: str | None
    speed: Speed | None
    tokens: Tokens


def read_usage(record: Record, usage: Record, model: str | None) -> tuple[Tokens, list[Call]]:
    """Return a response's own tokens, and the calls of other models. Tokens that are all zero are unknown."""
    tokens, calls = read_tokens(usage), list[Call]()
    iterations = usage.get("iterations")
    if isinstance(iterations, list) and not _is_the_top(iterations, usage):
        tokens, calls = _with_iterations([one for one in iterations if isinstance(one, dict)], record, usage, model)
    is_known = (
        tokens.input_tokens
        or tokens.output_tokens
        or tokens.cache_read_tokens
        or tokens.cache_write_5m_tokens
        or tokens.cache_write_1h_tokens
    )
    return tokens if is_known else _UNKNOWN, calls


def is_placeholder(record: Record, message: Record, tokens: Tokens) -> bool:
    """Return whether the counts are those with which a response began, so that its output is at least as large.

    Since version 2.1.83 at the latest, the last line of a response names its stop reason. Before, no line does, and
    most last lines have the true counts: only one token, or fewer than its text needs, is a placeholder. See
    https://github.com/anthropics/claude-code/issues/22686 and /27361.
    """
    if message.get("stop_reason", "") is not None or tokens is _UNKNOWN:
        return False
    version = record.get("version")
    if isinstance(version, str) and _names_stop_reasons(version):
        return True
    output = tokens.output_tokens or 0
    most_characters = _LARGEST_TOKEN * output + _LARGEST_MARGIN
    return output <= 1 or (output < _LARGEST_PLACEHOLDER and _characters(message) > most_characters)


@lru_cache(256)
def _names_stop_reasons(version: str) -> bool:
    numbers = _VERSION.match(version)
    return numbers is not None and tuple(map(int, numbers.groups())) >= _FIRST_WITH_STOP_REASONS


def _characters(message: Record) -> int:
    """Return how long the text and the thinking of a line are."""
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part.get(name) for part in parts for name in ("text", "thinking")]
    return sum(len(text) for text in texts if isinstance(text, str))


def read_tokens(usage: Record) -> Tokens:
    """Return the counts of a response or an iteration."""
    lifetimes = read_object(usage, "cache_creation")
    hour = read_count(lifetimes, "ephemeral_1h_input_tokens")
    five_minutes = read_count(lifetimes, "ephemeral_5m_input_tokens")
    written = read_count(usage, "cache_creation_input_tokens")
    if written is not None:  # tokens of unknown lifetime have the default one
        five_minutes = max(five_minutes or 0, written - (hour or 0))
    return Tokens(
        input_tokens=read_count(usage, "input_tokens"),
        output_tokens=read_count(usage, "output_tokens"),
        cache_read_tokens=read_count(usage, "cache_read_input_tokens"),
        cache_write_5m_tokens=five_minutes,
        cache_write_1h_tokens=hour,
    )


def read_speed(usage: Record) -> Speed | None:
    """Return the speed; capacity that was bought beforehand (`priority`) is standard, at the list price."""
    tier, speed = read_text(usage, "service_tier"), read_text(usage, "speed")
    if tier == "batch":
        return "batch"
    if speed == "fast":
        return "fast"
    if tier == "flex":
        return "flex"
    return "standard" if speed == "standard" or tier in ("standard", "priority") else None


def read_region(usage: Record) -> str | None:
    """Return where the provider promised to answer, or None when that is unknown or no short name."""
    region = usage.get("inference_geo")
    region = region.strip().lower() if isinstance(region, str) else ""
    return region if _REGION.fullmatch(region) and region not in _NO_REGIONS else None


def read_searches(usage: Record) -> int | None:
    """Return how many times a response searched the web, or None when that is unknown or no such number."""
    tools = usage.get("server_tool_use")
    searches = tools.get("web_search_requests") if isinstance(tools, dict) else None
    return searches if type(searches) is int and 0 <= searches <= _MOST_SEARCHES else None


def _is_the_top(iterations: Sequence[object], usage: Record) -> bool:
    """Return whether the only iteration has the counts at the top, as nearly always."""
    one = iterations[0] if len(iterations) == 1 else None
    names = ("input_tokens", "output_tokens")
    return isinstance(one, dict) and one.get("type") == "message" and all(one.get(n) == usage.get(n) for n in names)


def _with_iterations(
    iterations: Sequence[Record], record: Record, usage: Record, model: str | None
) -> tuple[Tokens, list[Call]]:
    kinds = [read_text(one, "type") or "message" for one in iterations]
    models = [read_model(one, "model") for one in iterations]
    counts = [read_tokens(one) for one in iterations]
    top = read_tokens(usage)
    own = [
        tokens
        for kind, of, tokens in zip(kinds, models, counts, strict=True)
        if kind == "message" and of in (None, model)
    ]
    total = reduce(add_tokens, own, Tokens())
    served = total if "fallback_message" not in kinds else Tokens()
    billed, calls, numbers = merge_tokens(top, served), list[Call](), Counter[str]()
    for one, kind, of, tokens in zip(iterations, kinds, models, counts, strict=True):
        is_left_out = kind in _NAMES or (bool(own) and _split(top) == _split(total))
        if kind in _IN_THE_TOP or not is_left_out:
            continue
        if kind != "advisor_message" and of in (None, model):
            billed = add_tokens(billed, tokens)
            continue
        name = _NAMES.get(kind, "iteration")
        if tokens.total_tokens:
            asked = of or (read_model(record, "advisorModel") if name == "advisor" else None)
            calls.append(Call(f"{name}:{numbers[name]}", asked, _speed_of_call(one, usage), tokens))
        numbers[name] += 1
    return billed, calls


def _speed_of_call(iteration: Record, usage: Record) -> Speed | None:
    """Return the speed of another model: its own, else the response's, but for its fast mode."""
    speed = read_speed(iteration) or read_speed(usage)
    return "standard" if speed == "fast" and read_speed(iteration) is None else speed


def _split(tokens: Tokens) -> tuple[int, ...]:
    parts = (tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens, tokens.written)
    return tuple(part or 0 for part in parts)
