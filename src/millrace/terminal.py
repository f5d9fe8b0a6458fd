"""Text that is safe to print: text from others cannot move the cursor, hide anything or add a line.

Every line that a command prints goes through `printable`; a program prints its own line breaks as separate lines.
"""

import codecs
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

from millrace import interrupts

# Characters that `str.isprintable` accepts although a terminal shows nothing for them (Unicode's
# Default_Ignorable_Code_Point, and the blank of Braille). With them, two different names look equal.
_UNSEEN = frozenset(
    [
        *"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0",
        *map(chr, range(0x180B, 0x1810)),
        *map(chr, range(0xFE00, 0xFE10)),
        *map(chr, range(0xE0100, 0xE01F0)),
    ]
)

_LEFT_BY_JSON = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb" + "".join(_UNSEEN) + "]"
)

# A spreadsheet runs a cell that begins with one of these signs, in either width, also after blanks. If it uses another
# separator than the comma, a cell begins after each of those, even within quotes.
_FORMULA = re.compile(r"^(?=[\t\r\n])|(^|[;\t\r\n])(?= *[=+\-@＝＋－＠﹦﹢﹣﹫])")  # noqa: RUF001 the other width
# Most cells: an id, a name, an instant or money. Nothing in them is a formula or a command.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@ -]*")
_WITHIN_LINES = re.compile(r"[^\t\r\n]+")

_IN_ASCII = "millrace.in_ascii"
_MARKS = {"✓": "ok", "✗": "x", "…": "...", "→": "->", "\N{EN DASH}": "-", "·": "-", "≥": ">=", "≈": "~", "━": "-"}


def printable(text: object) -> str:
    """Return a text as one line, with control, formatting and invisible characters escaped as in Python."""
    return "".join(mark if mark.isprintable() and mark not in _UNSEEN else _escaped(mark) for mark in str(text))


def printable_json(text: str) -> str:
    """Return the same JSON with the characters escaped that JSON allows but a terminal obeys or hides."""
    return _LEFT_BY_JSON.sub(lambda found: json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f"), text)


def encodable(stream: TextIO) -> None:
    """Let a stream print what its encoding does not have: our marks in ASCII, other characters escaped."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_IN_ASCII)


def _in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    marks = error.object[error.start : error.end]
    return "".join(_MARKS.get(mark, _escaped(mark)) for mark in marks), error.end


codecs.register_error(_IN_ASCII, _in_ascii)


def harmless_cell(text: str) -> str:
    """Return the text of a CSV cell that no spreadsheet runs as a formula, without terminal control characters."""
    if _PLAIN.fullmatch(text):
        return text
    return _FORMULA.sub(r"\1'", _WITHIN_LINES.sub(lambda part: printable(part[0]), text))


def _escaped(mark: str) -> str:
    return ascii(mark)[1:-1]


@contextmanager
def library_prints() -> Iterator[None]:
    """Redirect a library's output to standard error, each line indented and printable.

    Standard output is only for the command's result.
    """
    # On a full disk a library cannot write its own log; without this, each line of it would print a traceback.
    stream, complains = _PrintableErrors(), logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        with redirect_stdout(stream):
            yield
    finally:
        logging.raiseExceptions = complains
        stream.end()


class _PrintableErrors(io.TextIOBase):
    """Standard error with indented, printable lines; of a traceback only the last line is printed."""

    def __init__(self) -> None:
        self._begun = ""
        self._is_traceback = False

    def write(self, text: str) -> int:
        """Print the complete lines, and keep the rest."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if interrupts.is_asked():
                continue  # it is about Ctrl-C, and the command prints a line about that
            is_begun = line.endswith("Traceback (most recent call last):")
            self._is_traceback = is_begun or (self._is_traceback and line[:1] in ("", " "))
            if self._is_traceback:
                continue
            sys.stderr.write(f"  {printable(line)}\n" if line.strip() else "\n")
        return len(text)

    def flush(self) -> None:
        """Flush the complete lines."""
        sys.stderr.flush()

    def end(self) -> None:
        """Print the last line if it has no line break."""
        if self._begun:
            self.write("\n")
