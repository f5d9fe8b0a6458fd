"""A home with logs of agents that grow, are corrected, rotated, torn and copied; and their true contents."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.collect.machine import request, response
from tests.proofs.killing.random_kills import LINES

_MORE = 10
_CORRECTED = "m10"
_SECOND = "t1"


@dataclass(frozen=True)
class Truth:
    """The events of a collector that saw all logs: responses of Claude Code with their output, requests of Cline."""

    responses: frozenset[tuple[str, int]]
    requests: int

    def write(self, home: Path) -> None:
        """Write logs with these events, as if they had never been disturbed."""
        log, task = _places(home)
        log.write_bytes(b"".join(response(message, output) for message, output in sorted(self.responses)))
        _write_task(task, self.requests)


@dataclass
class Logs:
    """The logs of a home, and their true contents.

    `is_remembered`: a collector has read them, and keeps its state; only then the unread part of a rotated log is not
    lost, and a count may be corrected downwards. `is_new`: the log is another file than the first one; to rotate it
    before a collector has read it would lose it.
    """

    home: Path
    is_remembered: bool
    outputs: dict[str, int] = field(default_factory=lambda: {f"m{number}": 7 for number in range(LINES)})
    requests: int = 3
    lines: list[str] = field(default_factory=lambda: [f"m{number}" for number in range(LINES)])
    copies: int = 0
    is_new: bool = False
    changes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        _write_task(_places(self.home)[1], self.requests)

    @property
    def truth(self) -> Truth:
        """The true contents."""
        return Truth(frozenset(self.outputs.items()), self.requests)

    def change(self, dice: Random) -> str:
        """Apply one of the changes that happen to logs."""
        kinds = [self._append, self._append, self._correct, self._tear, self._copy]
        kinds += [self._rotate, self._rotate] if self.is_remembered and not self.is_new else []
        done = dice.choice(kinds)(dice)
        self.changes.append(done)
        return done

    def _append(self, dice: Random) -> str:
        self.requests += 1
        _write_task(_places(self.home)[1], self.requests)
        self._log(self._new())
        return "logs grow"

    def _correct(self, dice: Random) -> str:
        """Rewrite a log with another count in one of its lines."""
        if _CORRECTED not in self.lines or self.copies:
            return self._append(dice)
        self.outputs[_CORRECTED] = dice.choice((5, 9) if self.is_remembered else (9,))
        path = _places(self.home)[0]
        content = b"".join(response(each, self.outputs[each]) for each in self.lines)
        if dice.random() < 0.5:
            path.write_bytes(content)
            return "a log is written anew, in place"
        path.with_suffix(".new").write_bytes(content)
        path.with_suffix(".new").rename(path)
        self.is_new = True
        return "a log is written anew, and renamed"

    def _rotate(self, dice: Random) -> str:
        """Let a log grow, rename it, and begin a new one."""
        self._log(self._new())
        path = _places(self.home)[0]
        path.rename(path.with_name(f"{path.name}.1"))
        self.lines.clear()
        self.is_new = True
        self._log(self._new())
        return "a log is rotated"

    def _tear(self, dice: Random) -> str:
        """Write half of a line, as on a full disk, then a good one."""
        with _places(self.home)[0].open("ab") as file:
            file.write(response("torn")[: dice.randrange(10, 60)] + b"\n" * (dice.random() < 0.5))
            file.write(b"\0" * dice.choice((0, 0, 512)))
        self.outputs[_SECOND] = 7
        self._log([_SECOND])
        return "a torn line and a good one"

    def _copy(self, dice: Random) -> str:
        self.copies += 1
        path = _places(self.home)[0]
        path.with_name(f"copy{self.copies}.jsonl").write_bytes(path.read_bytes())
        return "a log is copied"

    def _new(self) -> list[str]:
        first = sum(name.startswith("m") for name in self.outputs)
        names = [f"m{number}" for number in range(first, first + _MORE)]
        self.outputs |= dict.fromkeys(names, 7)
        return names

    def _log(self, names: list[str]) -> None:
        with _places(self.home)[0].open("ab") as file:
            file.write(b"".join(response(name) for name in names))
        self.lines += names


def _places(home: Path) -> tuple[Path, Path]:
    log = home / ".claude/projects/-w/s.jsonl"
    task = home / ".config/Code/User/globalStorage/saoudrizwan.claude-dev/tasks/1/ui_messages.json"
    for path in (log, task):
        path.parent.mkdir(parents=True, exist_ok=True)
    return log, task


def _write_task(task: Path, requests: int) -> None:
    task.write_text(json.dumps([request(second, 5) for second in range(requests)]))
