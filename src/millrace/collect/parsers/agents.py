"""The registry: one line per agent whose logs can be read, and one for each further form in which an agent writes them.

The next agent is one module with a `read`, one line here, and one for each of its stores in `collect.stores`.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from millrace.collect.parsers import claude, cline, cline_sessions, codex, cursor, messages
from millrace.collect.parsers.reading import LogState, ParserLimits, Reading


class Read(Protocol):
    """Reads bytes of a log, without files or a clock."""

    def __call__(self, content: bytes, state: LogState, caps: ParserLimits = ...) -> Reading:
        """Return the reading of the bytes, with the state for the next one."""


class Form(Enum):
    """What a log is."""

    LINES = auto()
    """A file that grows line by line."""
    DOCUMENT = auto()
    """One JSON document that is rewritten, and read from its start each time."""
    SESSION = auto()
    """A document beside which another one describes the session."""
    CURSOR_ROWS = auto()
    """A database with Cursor's table."""
    MESSAGE_ROWS = auto()
    """A database with the tables of OpenCode."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One coding agent, and one form of its logs.

    `rules` is the version of the rules of counting: it grows with each change that makes other events of the same log.
    """

    name: str
    read: Read
    form: Form = Form.LINES
    rules: int = 2

    @property
    def is_document(self) -> bool:
        """Whether the counts of a reading replace those of the one before; the counts of any other log add up."""
        return self.form in (Form.DOCUMENT, Form.SESSION)

    @property
    def is_database(self) -> bool:
        """Whether the log is a database, which may have a write-ahead log beside it."""
        return self.form in (Form.CURSOR_ROWS, Form.MESSAGE_ROWS)


AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent(claude.AGENT, claude.read),
        Agent(codex.AGENT, codex.read),
        Agent(cursor.AGENT, cursor.read, Form.CURSOR_ROWS),
        Agent("cline", cline.read_cline, Form.DOCUMENT),
        Agent("kilocode", cline.read_kilocode, Form.DOCUMENT),
        Agent("roocode", cline.read_roocode, Form.DOCUMENT),
    )
}  # fmt: skip

FORMS: dict[str, Agent] = {
    **AGENTS,
    "cline sessions": Agent("cline", cline_sessions.read, Form.SESSION),
    "kilocode messages": Agent("kilocode", messages.read_kilocode, Form.MESSAGE_ROWS),
}
"""All forms of logs, also those that an agent has besides its first one."""
