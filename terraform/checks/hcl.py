"""A reader of literal HCL: names and values as in a .tfvars file, and the variables that a module declares.

Only literals are read: strings, numbers, true, false, null, lists and maps. Unreadable names the line of anything else.
"""

import json
import re
from dataclasses import dataclass

_TOKENS = re.compile(
    r"""(?P<skip>[ \t\r]+|(?:\#|//)[^\n]*|/\*.*?\*/)
    |(?P<newline>\n)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<mark>[\[\]{}=:,])""",
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"^  type\s*=\s*(\S+)", re.MULTILINE)
_DEFAULT = re.compile(r"^  default\s*=\s*", re.MULTILINE)
_WORDS = {"true": True, "false": False, "null": None}


class Unreadable(Exception):
    """A text is no literal HCL; the message has the line."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable; `default` is None both for null and where it is no literal."""

    is_text: bool
    has_default: bool
    default: object = None


def declared(text: str) -> dict[str, Variable]:
    """Return the variables of a variables.tf by their names."""
    return {name: _variable(block) for name, block in _BLOCK.findall(text)}


def _variable(block: str) -> Variable:
    kind, default = _TYPE.search(block), _DEFAULT.search(block)
    is_text = kind is not None and kind[1] == "string"
    if default is None:
        return Variable(is_text, has_default=False)
    try:
        return Variable(is_text, True, _Reader(block[default.end() :]).value())
    except Unreadable:
        return Variable(is_text, has_default=True)


def assignments(text: str) -> dict[str, object]:
    """Return the values of a .tfvars file by their names."""
    return _Reader(text).assignments()


def literal(text: str) -> object:
    """Return the value of one literal."""
    return _Reader(text).only()


class _Reader:
    """Reads tokens from the first to the last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._kind, self._lexeme = self._next()

    def assignments(self) -> dict[str, object]:
        values: dict[str, object] = {}
        self._skip_lines()
        while self._kind != "end":
            name = self._take("word", "a name")
            self._take_mark("=")
            values[name] = self.value()
            if self._kind not in ("newline", "end"):
                raise self._unexpected("the end of the line")
            self._skip_lines()
        return values

    def only(self) -> object:
        found = self.value()
        self._skip_lines()
        if self._kind != "end":
            raise self._unexpected("the end")
        return found

    def value(self) -> object:
        """Return the value that begins here: a literal, a list or a map."""
        if self._kind == "string":
            return self._string()
        if self._kind == "number":
            return json.loads(self._take("number", "a number"))
        if self._kind == "word" and self._lexeme in _WORDS:
            return _WORDS[self._take("word", "a value")]
        if self._lexeme == "[":
            return self._list()
        if self._lexeme == "{":
            return self._map()
        raise self._unexpected("a literal value")

    def _string(self) -> str:
        if re.search(r"(?<![$%])[$%]\{", self._lexeme):
            raise self._unexpected("a text without ${…}")
        line, text = self._line, self._take("string", "a text")
        try:
            return str(json.loads(text)).replace("$${", "${").replace("%%{", "%{")
        except ValueError:
            raise Unreadable(f"line {line}: expected a text with known escapes, got {text}") from None

    def _list(self) -> list[object]:
        items: list[object] = []
        self._take_mark("[")
        self._skip_lines()
        while self._lexeme != "]":
            items.append(self.value())
            self._skip_lines()
            if self._lexeme != "]":
                self._take_mark(",")
                self._skip_lines()
        self._take_mark("]")
        return items

    def _map(self) -> dict[str, object]:
        fields: dict[str, object] = {}
        self._take_mark("{")
        self._skip_lines()
        while self._lexeme != "}":
            name = self._string() if self._kind == "string" else self._take("word", "a name")
            self._take_mark("=", ":")
            fields[name] = self.value()
            if self._lexeme == ",":
                self._take_mark(",")
            elif self._kind != "newline" and self._lexeme != "}":
                raise self._unexpected("a comma or a new line")
            self._skip_lines()
        self._take_mark("}")
        return fields

    def _skip_lines(self) -> None:
        while self._kind == "newline":
            self._take("newline", "")

    def _take_mark(self, *marks: str) -> None:
        if self._lexeme not in marks:
            raise self._unexpected(" or ".join(marks))
        self._take("mark", marks[0])

    def _take(self, kind: str, expected: str) -> str:
        if self._kind != kind:
            raise self._unexpected(expected)
        token = self._lexeme
        self._kind, self._lexeme = self._next()
        return token

    def _next(self) -> tuple[str, str]:
        while self._at < len(self._text):
            found = _TOKENS.match(self._text, self._at)
            if found is None:
                return "unknown", self._text[self._at : self._at + 20].partition("\n")[0]
            self._at = found.end()
            self._line += self._text.count("\n", found.start(), found.end())
            if found.lastgroup != "skip":
                return str(found.lastgroup), found[0]
        return "end", ""

    def _unexpected(self, expected: str) -> Unreadable:
        line = self._line - (self._kind == "newline")
        got = {"newline": "the end of the line", "end": "the end"}.get(self._kind, self._lexeme)
        return Unreadable(f"line {line}: expected {expected}, got {got}")
