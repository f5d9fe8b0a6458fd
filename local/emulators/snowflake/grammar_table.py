"""The table of accepted forms, read from the files in `forms`: each names the documentation that allows it.

The next form goes into one of the files: a node of sqlglot's tree with the arguments that may be set on it, a function
by its name, or, for a statement that sqlglot does not take apart, a regular expression.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "forms"
_FUNCTIONS = "https://docs.snowflake.com/en/sql-reference/functions/"
ANY = "*"


@dataclass(frozen=True, slots=True)
class Form:
    """One accepted form. `page` and `sentence` are the documentation that allows it.

    A form is of a `node`, a `function` or a `command`. Of a node, only `args` may be set; `when` lists the values
    that an argument must have ("" is none, "*" is any), and `of` the nodes that it may be.
    """

    page: str
    sentence: str
    node: str = ""
    function: str = ""
    command: str = ""
    args: frozenset[str] = frozenset()
    when: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())
    of: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())
    evidence: str = ""
    is_statement: bool = False

    def __str__(self) -> str:
        """Return a name for messages and tests."""
        conditions = "".join(f" {name}={'|'.join(values)}" for name, values in (*self.when, *self.of))
        return f"{self.node or self.function or self.command}{conditions}"


@cache
def forms() -> tuple[Form, ...]:
    """Return all accepted forms."""
    return tuple(form for path in sorted(_FOLDER.glob("*.toml")) for form in _read(path))


def _read(path: Path) -> Iterator[Form]:
    content = tomllib.loads(path.read_text())
    for name, sentence in content.get("functions", {}).items():
        yield Form(page=_FUNCTIONS + name.replace("$", "_"), sentence=sentence, function=name)
    for entry in content.get("form", ()):
        nodes = entry.get("node", "")
        for node in [nodes] if isinstance(nodes, str) else nodes:
            yield _form(entry, node, is_statement=path.stem == "statements")


def _form(entry: dict[str, Any], node: str, is_statement: bool) -> Form:
    return Form(
        page=entry["page"],
        sentence=entry["sentence"],
        node=node,
        command=entry.get("command", ""),
        args=frozenset(entry.get("args", ())),
        when=tuple((name, tuple(values)) for name, values in entry.get("when", {}).items()),
        of=tuple((name, tuple(values)) for name, values in entry.get("of", {}).items()),
        evidence=entry.get("evidence", ""),
        is_statement=is_statement,
    )
