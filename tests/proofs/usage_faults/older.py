"""Rules of an older version: by them, logs make other counts, other requests, and some phantoms."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from zlib import crc32

from millrace.collect.parsers.agents import AGENTS, Agent, Read
from millrace.collect.parsers.event import UsageEvent, merge_all
from millrace.collect.parsers.reading import PARSER_LIMITS, LogState, ParserLimits, Reading


def older_rules() -> ExitStack:
    """Return a context in which all agents have the rules of an older version; closing it is the upgrade."""
    stack, now = ExitStack(), dict(AGENTS)
    AGENTS.update({name: replace(agent, read=_reader(agent), rules=agent.rules - 1) for name, agent in now.items()})
    stack.callback(AGENTS.update, now)
    return stack


def _reader(agent: Agent) -> Read:
    def read(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
        reading = agent.read(content, state, caps)
        made = merge_all(one for event in reading.events for one in _made(event))
        return replace(reading, events=tuple(made.values()))

    return read


def _made(event: UsageEvent) -> Iterator[UsageEvent]:
    kind = crc32(event.message_id.encode()) % 4
    if kind == 0:
        yield replace(event, request_id=None)
    elif kind == 1 and event.role == "assistant":
        yield replace(event, tokens=replace(event.tokens, output_tokens=77))
    else:
        yield event
    if kind == 2:
        yield replace(event, message_id=f"{event.message_id}-9")
