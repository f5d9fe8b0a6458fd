"""The registry: one line per agent whose logs can be read.

The next agent is one module with a `read`, and one line here.
"""

from dataclasses import dataclass
from typing import Protocol

from millrace.collect.parsers import claude, cline, codex, cursor
from millrace.collect.parsers.reading import LogState, ParserLimits, Reading


class Read(Protocol):
    """Reads bytes of a log, without files or a clock."""

    def __call__(self, content: bytes, state: LogState, caps: ParserLimits = ...) -> Reading:
        """Return the reading of the bytes, with the state for the next one."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One coding agent.

    `is_document`: the log is one JSON document that is rewritten, and read from its start each time. Its counts replace
    those of the reading before; the counts of any other log add up. `rules` is the version of the rules of counting: it
    grows with each change that makes other events of the same log.
    """

    name: str
    read: Read
    is_document: bool = False
    rules: int = 2


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
