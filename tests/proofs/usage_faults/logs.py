"""Logs on a machine, and what may happen to them: they grow within a line, are cut, renamed, copied, rewritten."""

import json
import os
import re
import shutil
from abc import ABC, abstractmethod
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random

from tests.collect.machine import cursor_database, put
from tests.proofs.usage_faults import sessions
from tests.proofs.usage_faults.sessions import Line

_FIRST_NS = 1_760_000_000_000_000_000


class Mtimes:
    """Set a different modification time at each write, so that none is missed when a schedule runs fast."""

    def __init__(self) -> None:
        self._ticks = count(_FIRST_NS, 1_000_000)

    def touch(self, path: Path) -> None:
        at = next(self._ticks)
        os.utime(path, ns=(at, at))


@dataclass
class Log(ABC):
    """One log. `agent` names its reader, `session` is the one in its path."""

    path: Path
    agent: str
    mtimes: Mtimes

    @abstractmethod
    def grow(self, dice: Random, is_gentle: bool) -> str:
        """Add something; with `is_gentle` no existing content is lost. Return the name of the change."""

    @abstractmethod
    def destroy(self, dice: Random) -> str:
        """Remove a part of the contents."""


@dataclass
class Lines(Log):
    """A log that grows: some of its `lines` are in the file, and perhaps a part of the next one."""

    lines: list[bytes] = field(default_factory=list)
    size: int = 0

    @property
    def content(self) -> bytes:
        return b"".join(self.lines)

    def grow(self, dice: Random, is_gentle: bool) -> str:
        content = self.content
        ends = [0]
        for line in self.lines:
            ends.append(ends[-1] + len(line))
        whole = max(end for end in ends if end <= self.size)
        place = min(ends.index(whole) + dice.randrange(1, 5), len(self.lines))
        to = ends[place]
        if place < len(self.lines) and dice.random() < 0.4:
            to += dice.randrange(1, len(self.lines[place]))  # a torn line
        to = max(to, self.size)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(content[self.size : to])
        self.mtimes.touch(self.path)
        said = f"{self.path.name} grows from {self.size} to {to} of {len(content)} bytes"
        self.size = to
        return said

    def destroy(self, dice: Random) -> str:
        if not self.path.exists():
            return "nothing is there"
        what = dice.choice(("cut", "compact", "delete"))
        if what == "cut":
            self.size = dice.randrange(self.size + 1)
            os.truncate(self.path, self.size)
        elif what == "delete" or len(self.lines) < 4:
            self.path.unlink()
            self.size = 0
            return f"{self.path.name} is deleted"
        else:
            first = int(self.agent == "codex")  # a rollout keeps its header
            del self.lines[first : first + dice.randrange(1, 3)]
            self.size = min(self.size, len(self.content))
            self.path.write_bytes(self.content[: self.size])
        self.mtimes.touch(self.path)
        return f"{self.path.name}: {what} to {self.size} bytes"

    def rewrite(self, dice: Random) -> str:
        """Rewrite the file, with a later line in its middle or another number in its last line."""
        count = self._written()
        if not self.path.exists() or count < 2:
            return "nothing is there"
        if self.agent == "claude" and count < len(self.lines) and dice.random() < 0.7:
            line = self.lines.pop(dice.randrange(count, len(self.lines)))
            self.lines.insert(dice.randrange(count), line)
            count, what = count + 1, "a line more in its middle"
        else:
            self.lines[count - 1] = _corrected(dice, self.lines[count - 1])
            what = "another number in its last line"
        content = b"".join(self.lines[:count])
        self.size = len(content)
        if dice.random() < 0.5:
            self.path.write_bytes(content)
        else:
            other = self.path.with_suffix(".new")
            other.write_bytes(content)
            other.rename(self.path)
        self.mtimes.touch(self.path)
        return f"{self.path.name} is written anew with {what}: {self.size} bytes"

    def tear(self, dice: Random) -> str:
        """Write a part of a line, as a writer that dies or loses power: the next line is appended to it."""
        count = self._written()
        ends = len(b"".join(self.lines[:count]))
        if not self.path.exists() or count >= len(self.lines) - 1:
            return "nothing is there"
        begun = max(self.size - ends, dice.randrange(len(self.lines[count])))
        torn = self.lines[count][:begun] + b"\0" * dice.choice((0, 0, 512))
        del self.lines[count]
        self.lines[count] = torn + self.lines[count]
        with self.path.open("ab") as file:
            file.write(torn[self.size - ends :])
        self.size = ends + len(torn)
        self.mtimes.touch(self.path)
        return f"{self.path.name} is torn at {self.size} bytes"

    def _written(self) -> int:
        """Return the number of complete lines in the file."""
        size = 0
        for number, line in enumerate(self.lines):
            size += len(line)
            if size > self.size:
                return number
        return len(self.lines)

    def move(self, dice: Random, name: str) -> "tuple[str, Lines | None]":
        """Rename the file, or copy it, so that both grow on their own."""
        if not self.path.exists():
            return "nothing is there", None
        other = self.path.with_name(f"{name}.jsonl")
        if dice.random() < 0.5:
            said = f"{self.path.name} is renamed {other.name}"
            self.path = self.path.rename(other)
            return said, None
        return f"{self.path.name} is copied to {other.name}", self.copied(other)

    def copied(self, to: Path) -> "Lines":
        """Return a copy of the log, whose file is also copied."""
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.path, to)
        self.mtimes.touch(to)
        return Lines(to, self.agent, self.mtimes, list(self.lines), self.size)


def _corrected(dice: Random, line: bytes) -> bytes:
    """Return a line of the same length with another digit in its count of output tokens."""
    match = re.search(rb'"output_tokens": ?(\d)', line)
    if match is None:
        return line
    return line[: match.start(1)] + str(dice.randrange(1, 10)).encode() + line[match.end(1) :]


@dataclass
class Document(Log):
    """A task of Cline, rewritten each time."""

    elements: list[Line] = field(default_factory=list)

    def grow(self, dice: Random, is_gentle: bool) -> str:
        at = sessions.instant(dice)
        if self.elements:
            at = at.fromtimestamp(self.elements[-1]["ts"] / 1000, at.tzinfo) + timedelta(minutes=dice.randrange(1, 400))
        self.elements.append(sessions.element(dice, at))
        if not is_gentle and dice.random() < 0.6:
            one = dice.choice(self.elements)
            if one["say"] == "api_req_started":
                one["text"] = sessions.request_text(dice)
        return self._write(dice)

    def destroy(self, dice: Random) -> str:
        if dice.random() < 0.3 and self.path.exists():
            self.path.unlink()
            return f"task {self.path.parent.name} is deleted"
        del self.elements[: dice.randrange(1, 3)]
        return self._write(dice)

    def twin(self, dice: Random, folder: Path) -> "tuple[str, Document]":
        """Copy the task to another editor, and continue it in both."""
        path = folder / self.path.parent.name / self.path.name
        other = Document(path, self.agent, self.mtimes, deepcopy(self.elements))
        return f"another editor has {other.grow(dice, is_gentle=True)}", other

    def _write(self, dice: Random) -> str:
        content = json.dumps(self.elements).encode()
        is_torn = dice.random() < 0.15
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(content[: len(content) // 2] if is_torn else content)
        self.mtimes.touch(self.path)
        return f"task {self.path.parent.name}: {len(self.elements)} elements{', written by half' * is_torn}"


@dataclass
class Database(Log):
    """Cursor's rows, which replace those of the same key."""

    keys: list[str] = field(default_factory=list)
    made: int = 0

    def grow(self, dice: Random, is_gentle: bool) -> str:
        rows = []
        for _ in range(dice.randrange(1, 4)):
            if is_gentle or not self.keys or dice.random() < 0.5:
                self.made += 1
                self.keys.append(f"bubbleId:{self.path.parents[5].name}C{self.made % 2}:B{self.made}")
                key = self.keys[-1]
            else:
                key = dice.choice(self.keys)
            rows.append((key, sessions.bubble(dice, sessions.instant(dice), is_prompt=key[-1] in "37")))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(cursor_database(self.path)) as connection:
            put(connection, rows)
        self.mtimes.touch(self.path)
        return f"cursor: {', '.join(key for key, _ in rows)}"

    def destroy(self, dice: Random) -> str:
        if not self.path.exists():
            return "nothing is there"
        if dice.random() < 0.5:
            with closing(cursor_database(self.path)) as connection:
                connection.execute(f"delete from cursorDiskKV where rowid % 2 = {dice.randrange(2)}")  # noqa: S608
                connection.execute("vacuum")  # renumbers the rows
            self.mtimes.touch(self.path)
            return "cursor: some rows are deleted, and the others compacted"
        self.path.unlink()
        self.keys.clear()
        return f"cursor: a new database; {self.grow(dice, is_gentle=False)}"
