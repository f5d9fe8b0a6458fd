"""What an answer of the source may cost, checked before it is paid: bytes, unpacked bytes, values of JSON.

A page has at most 1,000 rows (`page_size` in tables.py), the longest whole list one row a repository. 32 MiB are 32 KiB
a row of such a page, a million values a thousand a row. At these limits an answer takes some 0.4 GB of memory: the
bytes, their text and the values.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import NoReturn

MAX_BYTES = 32 << 20
MAX_RATIO = 200  # unpacked bytes by packed ones; rows of JSON come to 5 to 30, an attack to 1,000
MAX_VALUES = 1_000_000
_ANY_RATIO_BYTES = 1 << 20  # as long as it is small, an answer may be packed as well as it can be
_CHUNK_BYTES = 1 << 20


class TooCostly(Exception):
    """An answer goes beyond a limit of this module; the message says which."""


def unpacked(chunks: Iterable[bytes], encoding: str) -> bytes:
    """Return the body of an answer, which comes in chunks in that Content-Encoding.

    Raises TooCostly when it is too large, was packed too well, or in another way than gzip, which alone is asked for;
    zlib.error when it is no gzip.
    """
    if encoding.strip().lower() in ("", "identity"):
        return _joined((len(chunk), chunk) for chunk in chunks)
    if encoding.strip().lower() in ("gzip", "x-gzip"):
        return _joined(_gunzipped(chunks))
    raise TooCostly("an answer with a Content-Encoding that was not asked for; expected gzip or none")


def parsed(body: bytes) -> object:
    """Return the value of a JSON text.

    Raises TooCostly when it may hold more than MAX_VALUES values, and what json.loads raises; ValueError for NaN and
    infinity, which are no JSON.
    """
    values = sum(map(body.count, (b",", b"[", b"{")))  # those in texts too: an upper bound, at no cost
    if values > MAX_VALUES:
        raise TooCostly(f"an answer of up to {values:,} values, expected at most {MAX_VALUES:,}")

    def no_number(text: str) -> NoReturn:
        raise ValueError(f"{text} is no number of JSON")

    return json.loads(body, parse_constant=no_number)


def _joined(pieces: Iterable[tuple[int, bytes]]) -> bytes:
    """Join pieces of a body, each of which comes with the number of packed bytes that it was read with."""
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
    """Unpack the members of a gzip file, at most _CHUNK_BYTES at a time; what follows the last one is dropped."""
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
