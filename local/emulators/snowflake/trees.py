"""Statements that are kept, parsed or translated."""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

SESSIONS = re.compile(r"(?:(?<=\bSTAGED_)|(?<=\bDEDUPLICATED_))[0-9A-F]{12}\b")
"""What distinguishes the temporary tables of one session from those of another."""
_KNOWN = 2000


class Trees:
    """Statements, parsed or translated, by their text and place; nothing may change them.

    Texts that differ only in the names of a session's temporary tables are made from the first of them.
    """

    def __init__(self) -> None:
        self._by_text: dict[object, Any] = {}
        self._first: dict[object, tuple[list[str], Any]] = {}

    def get(self, text: str, place: object, make: Callable[[], Any]) -> Any:
        """Return the statement; `make` it where there is none. Threads may make one twice: a lock could block them."""
        known = self._by_text
        tree = known.get((text, place))
        if tree is None:
            if len(known) >= _KNOWN:
                self._by_text, self._first = {}, {}
            tree = known[text, place] = self._made(text, place, make)
        return tree

    def _made(self, text: str, place: object, make: Callable[[], Any]) -> Any:
        sessions = list(dict.fromkeys(SESSIONS.findall(text)))
        alike = (SESSIONS.sub(lambda found: str(sessions.index(found[0])), text), place)
        first, tree = self._first.get(alike) or self._first.setdefault(alike, (sessions, make()))
        if first == sessions:
            return tree
        now = dict(zip(first, sessions, strict=True))
        return _renamed(tree.copy(), lambda text: SESSIONS.sub(lambda found: now[found[0]], text))


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """Return a part of a statement with other names; fakesnow keeps some tables in tuples, which no walk finds."""
    if isinstance(value, str):
        return rename(value)
    if isinstance(value, tuple):
        return tuple(_renamed(each.copy() if isinstance(each, exp.Expression) else each, rename) for each in value)
    if isinstance(value, exp.Expression):
        for node in value.walk():
            leaves = {key: part for key, part in node.args.items() if isinstance(part, str | tuple)}
            node.args.update({key: _renamed(part, rename) for key, part in leaves.items()})
    return value
