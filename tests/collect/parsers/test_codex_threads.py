"""A tree of Codex sessions is counted as it was billed: in any order of its logs, and wherever they are cut."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings, strategies as st
from tests.collect.parsers.codex_sessions import TIERS, Billed, Tree, Usage, add
from tests.collect.parsers.corpus import Collected, read_growing

from millrace.collect.parsers import agents
from millrace.collect.parsers.event import UsageEvent, resolve
from millrace.collect.parsers.reading import LogState

_CODEX = agents.AGENTS["codex"]
counts = st.integers(0, 3)
usages = st.builds(
    lambda fresh, read, written, said, thought: (1 + fresh + read + written, read, written, said + thought, thought),
    counts, counts, counts, counts, counts,
)  # fmt: skip
steps = st.sampled_from(("ask", "respond", "respond", "compact", "fill", "tier", "upgrade", "fork", "spawn", "review"))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Draw sessions and what happens in them, in the order in which it happens."""
    tree = Tree(draw(st.booleans()), draw(st.booleans()))
    tree.begin(draw(st.booleans()), draw(st.booleans()))
    for number, step in enumerate(draw(st.lists(steps, min_size=1, max_size=14)), 1):
        session = tree.sessions[draw(st.integers(0, len(tree.sessions) - 1))]
        if step == "ask":
            tree.ask(session)
        elif step == "respond":
            more = 0 if tree.has_names else 10 * 2**number
            tree.respond(session, add(draw(usages), (more, 0, 0, 0, 0)), draw(st.booleans()))
        elif step == "compact":
            tree.compact(session, draw(usages))
        elif step == "fill":
            tree.fill(session)
        elif step == "tier":
            tree.set_tier(session, draw(st.sampled_from(list(TIERS))))
        elif step == "upgrade":
            session.has_records = True
        elif step == "fork" and session.is_by_person:
            tree.fork(session, draw(st.booleans()))
        elif step == "spawn" and session.header.get("thread_source") != "guardian_review":
            tree.spawn(session, session.has_records or draw(st.booleans()), draw(st.booleans()))
        elif step == "review" and tree.has_names:
            reviews = [one for one in tree.sessions if one.header.get("thread_source") == "guardian_review"]
            tree.review(session, draw(st.sampled_from([None, *reviews])))
    return tree


def used(event: UsageEvent) -> Billed:
    tokens = event.tokens
    read, written = tokens.cache_read_tokens or 0, tokens.cache_write_5m_tokens or 0
    counted: Usage = (
        (tokens.input_tokens or 0) + read + written,
        read,
        written,
        tokens.output_tokens or 0,
        tokens.reasoning_tokens or 0,
    )
    return counted, event.speed


def cut(log: bytes, at: list[float]) -> Iterator[bytes]:
    places = sorted({0, len(log), *(int(part * len(log)) for part in at)})
    return (log[start:end] for start, end in pairwise(places))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tree=trees(), data=st.data())
def test_tree_of_sessions_counts_as_billed(tree: Tree, data: st.DataObject) -> None:
    done = Collected()
    for log in data.draw(st.permutations(tree.logs())):
        read_growing(done, _CODEX, LogState("S1"), cut(log, data.draw(st.lists(st.floats(0, 1), max_size=4))))
    events = resolve(done.events.values())
    assert Counter(used(event) for event in events if event.role == "assistant") == tree.billed
    assert sum(event.role == "user" for event in events) == tree.prompts


odd = st.sampled_from([None, True, 5, -1, 1.5, "", "x", "/home/ada", [], ["x"], {}, {"x": "x"}, "2026", 10**15])


def paths(value: object) -> list[tuple[object, ...]]:
    """Return the places of all values within an object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((name, *path) for name, part in items for path in paths(part))]


def put(value: object, path: tuple[object, ...], other: object) -> object:
    if not path:
        return other
    if isinstance(value, list):
        return [put(part, path[1:], other) if place == path[0] else part for place, part in enumerate(value)]
    assert isinstance(value, dict)
    return {name: put(part, path[1:], other) if name == path[0] else part for name, part in value.items()}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(tree=trees(), data=st.data())
def test_odd_values_are_counted_and_not_raised(tree: Tree, data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(tree.sessions)).lines
    place = data.draw(st.integers(0, len(lines) - 1))
    broken = put(lines[place], data.draw(st.sampled_from(paths(lines[place]))), data.draw(odd))
    log = "".join(json.dumps(line) + "\n" for line in [*lines[:place], broken, *lines[place + 1 :]]).encode()
    reading = _CODEX.read(log, LogState("S1"))
    assert reading.lines == len(lines) == reading.used + sum(reading.skipped.values())
    assert LogState.parse(reading.state.to_json()) == reading.state
