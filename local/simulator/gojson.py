"""JSON as Go's encoding/json writes it: no spaces, UTF-8, `<`, `>` and `&` escaped."""

import json
from typing import Any

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def dumps(value: object) -> str:
    """Return the value as Go writes it, without the newline that its encoder adds."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPES)


def body(value: object) -> bytes:
    """Return the value as the body of an answer: Go's encoder ends it with a newline."""
    return dumps(value).encode() + b"\n"


def loads(text: bytes) -> dict[str, Any]:
    """Parse one serialised row."""
    row: dict[str, Any] = json.loads(text)
    return row
