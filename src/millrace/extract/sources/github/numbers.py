"""Sets of numbers of pull requests as short texts, for the state of a paused reading."""

import base64
import binascii
import zlib
from collections.abc import Iterable
from itertools import accumulate, pairwise

_MOST_BYTES = 64 << 20


def packed(numbers: Iterable[int]) -> str:
    """Return a set of numbers as text; `unpacked` is the inverse."""
    ordered = sorted(set(numbers))
    steps = [later - earlier for earlier, later in pairwise([0, *ordered])]
    return base64.b64encode(zlib.compress(",".join(map(str, steps)).encode(), 6)).decode()


def unpacked(text: str) -> set[int]:
    """Return the numbers of a packed set; ValueError for any other text."""
    try:
        steps = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _MOST_BYTES).decode()
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"no packed numbers: {error}") from None
    return set(accumulate(int(step) for step in steps.split(",") if step))
