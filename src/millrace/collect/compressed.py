"""A zstd file, decompressed piece by piece; what expands without measure is stopped."""

from collections.abc import Iterator
from typing import BinaryIO

_PIECE_BYTES = 4 << 10  # of a torn stream, at most so much is lost
_MOST_BYTES = 8 << 30
_FREE_BYTES = 16 << 20
_MOST_TIMES = 1_000
"""Text of logs shrinks to a tenth. From a thousandth on it is one repetition, made to block its reader."""


def decompressed(
    file: BinaryIO, chunk_bytes: int, most_bytes: int = _MOST_BYTES, free_bytes: int = _FREE_BYTES
) -> Iterator[bytes | OSError]:
    """Yield the content about `chunk_bytes` at a time, and last an error when it is torn, invalid or too large.

    `free_bytes` may come of a file of any size. Frames that follow each other are one content.
    """
    import pyarrow as pa  # it takes a tenth of a second, and few logs are compressed

    size_bytes = file.seek(0, 2)
    file.seek(0)
    left = min(most_bytes, max(free_bytes, size_bytes * _MOST_TIMES))
    pieces: list[bytes] = []
    error: OSError | None = None
    with pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd") as stream:
        held = 0
        while error is None:
            try:
                piece = stream.read(_PIECE_BYTES)
            except OSError as torn:
                error = OSError(f"the compressed log is torn or invalid: {torn}")
                break
            if not piece:
                break
            left -= len(piece)
            if left < 0:
                error = OSError("the compressed log expands beyond the limit")
                break
            pieces.append(piece)
            held += len(piece)
            if held >= chunk_bytes:
                yield b"".join(pieces)
                pieces, held = [], 0
        if pieces:
            yield b"".join(pieces)
    if error is not None:
        yield error
