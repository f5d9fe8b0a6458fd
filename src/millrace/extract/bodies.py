"""Limits for a response of the source, checked before memory is used: bytes, unpacked bytes, JSON values.

A page has at most 1,000 rows (`page_size` in tables/cursor_sim.py), the longest whole list one row per repository. For
such a page 32 MiB are 32 KiB per row, and a million values are a thousand per row. At these limits a response takes
about 0.4 GB of memory: the bytes, their text and the values.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import NoReturn

MAX_BYTES = 32 << 20
MAX_RATIO = 200  # unpacked bytes per packed one; rows of JSON have 5 to 30, an attack up to 1,000
MAX_VALUES = 1_000_000
_ANY_RATIO_BYTES = 1 << 20  # up to this size, any ratio is accepted
_CHUNK_BYTES = 1 << 20


class TooCostly(Exception):
    """A response exceeds a limit of this module; the message names the limit."""


def unpacked(chunks: Iterable[bytes], encoding: str) -> bytes:
    """Return the body of a response from its chunks in the given Content-Encoding.

    Raises TooCostly when it is too large, is packed too well, or is packed in another way than gzip, the only one
    requested. Raises zlib.error when it is not gzip.
    """
    if encoding.strip().lower() in ("", "identity"):
        return _joined((len(chunk), chunk) for chunk in chunks)
    if encoding.strip().lower() in ("gzip", "x-gzip"):
        return _joined(_gunzipped(chunks))
    raise TooCostly("an answer with a Content-Encoding that was not asked for; expected gzip or none")


def parsed(body: bytes) -> object:
    """Return the value of a JSON text.

    Raises TooCostly when it may hold more than MAX_VALUES values, and the errors of json.loads; ValueError for NaN and
    infinity, which are not JSON.
    """
    values = sum(map(body.count, (b",", b"[", b"{")))  # counts those in texts too: a cheap upper bound
    if values > MAX_VALUES:
        raise TooCostly(f"an answer of up to {values:,} values, expected at most {MAX_VALUES:,}")

    def no_number(text: str) -> NoReturn:
        raise ValueError(f"{text} is no number of JSON")

    return json.loads(body, parse_constant=no_number)


def _joined(pieces: Iterable[tuple[int, bytes]]) -> bytes:
    """Join the pieces of a body; each pair is the number of packed bytes read for a piece, and the piece."""
    kept, size, packed = [], 0, 0
    for packed_bytes, piece in pieces:
        size, packed = size + len(piece), packed + packed_bytes
        if size > MAX_BYTES:
            raise TooCostly(f"an answer of more than {MAX_BYTES} bytes")
        if size > max(_ANY_RATIO_BYTES, MAX_RATIO * packed):
            raise TooCostly(f"an answer that unpacks to more than {MAX_RATIO} times its size")
        kept.append(piece)
    return b"".join(kept)


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Unpack the members of a gzip file, at most _CHUNK_BYTES at a time; drop bytes after the last member."""
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    is_begun = False
    for chunk in chunks:
        packed_bytes, rest = len(chunk), chunk
        while rest:
            if unpacker.eof and not rest.startswith(b"\x1f"):
                return
            if unpacker.eof:
                unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
            is_begun = True
            piece = unpacker.decompress(rest, _CHUNK_BYTES)
            rest = unpacker.unused_data or unpacker.unconsumed_tail
            yield packed_bytes, piece
            packed_bytes = 0
    yield 0, unpacker.flush()
    if is_begun and not unpacker.eof:
        raise zlib.error("the file ends within a member")
