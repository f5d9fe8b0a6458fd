"""The conformance corpus of agents' logs: its cases, and the results of a reader that is stopped and resumed."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from millrace.collect.parsers import agents, event
from millrace.collect.parsers.agents import Agent
from millrace.collect.parsers.event import EventKey, UsageEvent, resolve
from millrace.collect.parsers.reading import PARSER_LIMITS, LogState, ParserLimits

CORPUS = Path(__file__).resolve().parents[2] / "golden" / "usage"


@dataclass(frozen=True, slots=True)
class Case:
    """One folder of the corpus."""

    agent: Agent
    name: str
    logs: tuple[bytes, ...]
    session_id: str
    expected: dict[str, object]

    def __str__(self) -> str:
        return f"{self.agent.name}/{self.name}"


@dataclass(slots=True)
class Collected:
    """All results so far, over all logs and readings."""

    events: dict[EventKey, UsageEvent] = field(default_factory=dict)
    lines: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return json.dumps(self.to_json(), indent=2)

    def to_json(self) -> dict[str, object]:
        events = [event.to_json() for event in sorted(resolve(self.events.values()), key=lambda event: str(event.key))]
        return {"events": events, "lines": self.lines, "skipped": dict(self.skipped)}


def form_of(log: Path) -> Agent:
    """Return the agent of a case, with the parser for logs of that name."""
    agent = log.parent.parent.name
    if log.name.endswith(".messages.json"):
        return agents.FORMS[f"{agent} sessions"]
    is_other_form = agents.AGENTS[agent].is_document and log.suffix == ".jsonl"
    return agents.FORMS[f"{agent} messages"] if is_other_form else agents.AGENTS[agent]


def read_case(folder: Path) -> Case:
    expected = json.loads((folder / "expected.json").read_text())
    paths = [path for path in sorted(folder.iterdir()) if path.name != "expected.json"]
    logs, agent = tuple(path.read_bytes() for path in paths), form_of(paths[0])
    key = ("agent", "message_id", "request_id")
    expected["events"].sort(key=lambda event: str(tuple(event[name] for name in key)))
    wanted = {name: expected[name] for name in ("events", "lines", "skipped")}
    return Case(agent, folder.name, logs, expected["session_id"], wanted)


CASES = [read_case(path.parent) for path in sorted(CORPUS.glob("*/*/expected.json"))]


def within_lines(log: bytes) -> Iterator[bytes]:
    """Cut a log into about 23 pieces, so that some lines are cut and others stay whole."""
    step = max(len(log) // 23, 1)
    return (log[start:end] for start, end in pairwise([*range(0, len(log), step), len(log)]))


def collect(
    case: Case, pieces: Callable[[bytes], Iterable[bytes]] = lambda log: [log], caps: ParserLimits = PARSER_LIMITS
) -> Collected:
    """Read each log of a case as it grows: `pieces` yields what is appended (of a document: written) each time."""
    done, state = Collected(), LogState(case.session_id)
    for log in case.logs:
        state = state if case.agent.is_document else LogState(case.session_id)
        state = read_growing(done, case.agent, state, pieces(log), caps)
    return done


def read_growing(
    done: Collected, agent: Agent, state: LogState, pieces: Iterable[bytes], caps: ParserLimits = PARSER_LIMITS
) -> LogState:
    log, began = b"", state.offset_bytes
    for piece in pieces:
        log = piece if agent.is_document else log + piece
        reading = agent.read(log[state.offset_bytes - began :], LogState.parse(state.to_json()), caps)
        assert reading.lines == reading.used + sum(reading.skipped.values())
        state = reading.state
        done.events = event.merge_all([*done.events.values(), *reading.events])
        counts = Counter({str(reason): count for reason, count in reading.skipped.items()})
        if agent.is_document and reading.lines:
            done.lines, done.skipped = reading.lines, counts
        else:
            done.lines, done.skipped = done.lines + reading.lines, done.skipped + counts
    return state
