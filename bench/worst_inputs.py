"""The worst inputs of each kind: answers of a source, dropped files, logs of coding agents.

They are those of `tests/proofs/hostile`, and inputs just below a limit, which cost more than those beyond it.
"""

import gzip
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

from tests.collect.machine import ENDLESS, bubble, cursor_database, put
from tests.proofs.hostile.files import BOMBS, MEGABYTE, Make, bytes_of, dictionary_bomb, list_bomb, text, wide_bomb

from simulator import World
from simulator.answers import SimulatedResponse
from simulator.api import SimulatedApi

MEGA = 1_000_000
_GIB = 1 << 30
_CLAUDE = ".claude/projects/-w-app/s.jsonl"
_CLINE = ".config/Code/User/globalStorage/saoudrizwan.claude-dev/tasks/1/ui_messages.json"
_CURSOR = ".config/Cursor/User/globalStorage/state.vscdb"


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of a source: its head, its body piece by piece, its unpacked size, and a pause after each piece."""

    body: Callable[[], Iterator[bytes]]
    head: bytes = b""
    unpacked: int | None = None
    pause_s: float = 0.0


def _once(content: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([content])


def _packed(pieces: Iterator[bytes]) -> bytes:
    """Return pieces as one member of a gzip file, at the best compression."""
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    return b"".join(map(packer.compress, pieces)) + packer.flush()


def _gzip(pieces: Iterator[bytes], unpacked: int, times: int = 1) -> Said:
    content = _packed(pieces)
    for _ in range(times - 1):
        content = gzip.compress(content)
    return Said(_once(content), _GZIP, unpacked)


_GZIP = b"Content-Encoding: gzip\r\n"
_LISTS = b"[]," * 100_000

ANSWERS: dict[str, Callable[[], Said]] = {
    "gzip of [[],[],…]": lambda: _gzip(iter([b"[", *repeat(_LISTS, 890), b"[]]"]), 890 * len(_LISTS)),
    "gzip of 1 GB of zeros": lambda: _gzip(repeat(bytes(1 << 20), 1024), _GIB),
    "gzip of gzip of 1 GB of zeros": lambda: _gzip(repeat(bytes(1 << 20), 1024), _GIB, times=2),
    "a body without an end": lambda: Said(lambda: repeat(b" " * 65536)),
    "a byte a second, with a deadline of 3 s": lambda: Said(lambda: repeat(b" "), pause_s=1.0),
    "a header of 100 MB": lambda: Said(_once(b""), b"X: " + b"x" * 100 * MEGA + b"\r\n"),
    "a million headers": lambda: Said(_once(b""), b"X: x\r\n" * MEGA),
    "100,000 levels": lambda: Said(_once(b"[" * 100_000 + b"]" * 100_000)),
    "32 MiB in one text": lambda: Said(_once(b'{"x":"' + b"x" * ((32 << 20) - 8) + b'"}')),
    "999,999 empty objects": lambda: Said(_once(b'{"x":[' + b"{}," * 499_998 + b"{}]}")),
    "as many values as may be, 32 bytes each": lambda: Said(_once(_short_texts())),
}


def _short_texts() -> bytes:
    return b"[" + b",".join(b'"%029d"' % number for number in range(999_000)) + b"]"


PAGES: dict[str, Mapping[str, object]] = {
    "1,000 rows of 32 kB each": {"x": "x" * 32_000},
    "1,000 rows of 950 values each": {"x": [0] * 930},
    "1,000 rows of 950 texts each": {"x": [f"{number:028}" for number in range(930)]},
}


class Padded(SimulatedApi):
    """A simulator whose commits have more fields; it counts the bytes of its answers."""

    def __init__(self, world: World, more: Mapping[str, object]) -> None:
        super().__init__(world)
        self.sent_bytes = 0
        self._more = more

    def answer(self, target: str, authorization: str | None) -> tuple[SimulatedResponse, bool]:
        """Answer as the simulator does."""
        answer, breaks = super().answer(target, authorization)
        if self._more and target.startswith("/analytics/ai-code/commits"):
            page = json.loads(answer.body)
            page["items"] = [row | self._more for row in page["items"]]
            answer = replace(answer, body=json.dumps(page, separators=(",", ":")).encode())
        self.sent_bytes += len(answer.body)
        return answer, breaks


def _sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(5 * _GIB)
    return path


def _lines(line: bytes, times: int) -> Make:
    return text(b"", line, times)


def _fields(count: int) -> dict[str, int]:
    return {"full_name": 1} | {f"c{number}": 1 for number in range(count - 1)}


_LISTS_LINE = b'{"full_name":"a","x":[' + b"[]," * 499_990 + b"[]]}\n"
_KEYS = b'{"full_name":"a","x":{' + b",".join(b'"%x":1' % number for number in range(800_000)) + b"}}\n"
_WIDE = json.dumps(_fields(300) | {"full_name": "a"}, separators=(",", ":")).encode() + b"\n"

DROPS: dict[str, tuple[str, Make]] = {
    **BOMBS,
    "a sparse CSV of 5 GiB": ("repos/a.csv", _sparse),
    "a header of 8 MB": ("repos/a.csv", bytes_of(lambda: b",".join(b"c%d" % number for number in range(900_000)))),
    "a CSV with cells of 8 MB": ("repos/a.csv", text(b"full_name,x\n", b"a," + b"x" * (8 * MEGA) + b"\n", 12)),
    "3 GB behind one value of a dictionary": ("repos/a.parquet", lambda path: dictionary_bomb(path, groups=3)),
    "3.6 GB behind 45 dictionaries": ("repos/a.parquet", lambda path: wide_bomb(path, 800_000, 45)),
    "a list of 15 million numbers": ("repos/a.parquet", lambda path: list_bomb(path, 15 * MEGA)),
    "a CSV of 300 columns and 50,000 lines": (
        "repos/a.csv",
        text(",".join(_fields(300)).encode() + b"\n", b"1" + b",1" * 299 + b"\n", 50_000),
    ),
    "100,000 levels of JSON": ("repos/a.ndjson", bytes_of(lambda: b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "lines of 999,983 empty lists": ("repos/a.ndjson", _lines(_LISTS_LINE, 12)),
    "lines of 8 MB of keys": ("repos/a.ndjson", _lines(_KEYS, 6)),
    "300 fields on 50,000 lines": ("repos/a.ndjson", _lines(_WIDE, 50_000)),
}
UNPACKED = {
    "50 GB behind one value of a dictionary": 50_000 * MEGA,
    "6 GB behind 60 dictionaries": 6_000 * MEGA,
    "one list of 20 million numbers": 160 * MEGA,
    "10 GB in lists of one text": 10_000 * MEGA,
    "16 GB within 2,000 rows": 2_000 << 23,
    "a text of 100 MB in Parquet": 100 << 20,
    "a page of 200 MB under a footer of 100 bytes": 200 << 20,
    "3 GB behind one value of a dictionary": 3_000 * MEGA,
    "3.6 GB behind 45 dictionaries": 3_600 * MEGA,
    "a list of 15 million numbers": 120 * MEGA,
}


def _endless(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(ENDLESS)
    return path


def _cursor_of_large_values(path: Path) -> Path:
    value = json.dumps({"type": 2, "text": "x" * (31 << 20)})
    with closing(cursor_database(path)) as database:
        put(database, [(f"bubbleId:a:{number}", value) for number in range(4)])
        put(database, [("bubbleId:a:9", bubble(1))])
    return path


_NO_EVENT = b'{"type":"user"}\n'

LOGS: dict[str, tuple[str, Make]] = {
    "a line of 100 MB": (_CLAUDE, text(b'{"type":"', MEGABYTE, 100, b'"}\n' + _NO_EVENT)),
    "lines just below 32 MiB": (_CLAUDE, _lines(b'{"type":"' + b"x" * ((32 << 20) - 20) + b'"}\n', 3)),
    "lines of 999,999 empty lists": (_CLAUDE, _lines(b'{"x":[' + b"[]," * 499_990 + b"[]]}\n", 10)),
    "a line of 100,000 levels": (_CLAUDE, bytes_of(lambda: b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")),
    "4 MiB of empty lines": (_CLAUDE, _lines(b"\n" * 65536, 64)),
    "4 MiB of lines {}": (_CLAUDE, _lines(b"{}\n" * 10_000, 140)),
    'a torn line of 32 MB of {"': (_CLAUDE, _lines(b'{"' * (8 * MEGA) + b"\n", 2)),
    "a document of {}, near its cap": (_CLINE, text(b"[", b"{}," * 100_000, 440, b"{}]")),
    "a document of 999,999 values": (_CLINE, text(b"[", b'{"a":"%s"},' % (b"x" * 240), 499_000, b"{}]")),
    "a document of one text near its cap": (_CLINE, text(b'["', MEGABYTE, 127, b'"]')),
    "a database whose table is an endless view": (_CURSOR, _endless),
    "a database with values of 31 MiB": (_CURSOR, _cursor_of_large_values),
}
