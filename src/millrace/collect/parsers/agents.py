"""The registry: one line per agent whose logs can be read.

The next agent is one module with a `read`, and one line here.
"""

from dataclasses import dataclass
from typing import Protocol

from millrace.collect.parsers import claude, cline, codex, cursor
from millrace.collect.parsers.reading import Caps, LogState, Reading


class Read(Protocol):
    """Reads bytes of a log: no files, no clock."""

    def __call__(self, content: bytes, state: LogState, caps: Caps = ...) -> Reading:
        """Give what the bytes say, and the state for the next reading."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One coding agent.

    `is_document`: the log is one JSON document that is written anew, and read from its start each time. A later
    reading's counts replace those of the one before; of any other log they add up.
    """

    name: str
    read: Read
    is_document: bool = False


AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent(claude.AGENT, claude.read),
        Agent(codex.AGENT, codex.read),
        Agent(cursor.AGENT, cursor.read),
        Agent("cline", cline.read_cline, is_document=True),
        Agent("kilocode", cline.read_kilocode, is_document=True),
        Agent("roocode", cline.read_roocode, is_document=True),
    )
}  # fmt: skip
