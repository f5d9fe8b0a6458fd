"""The pipeline's own small objects in the lake, each a JSON object: read back, or reported as damaged."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from millrace.errors import Step, TerminalError

T = TypeVar("T")


class Damaged(TerminalError):
    """An object of the pipeline is empty, truncated, or written by another program; the message names it."""


def parsed(content: bytes, name: str, make: Callable[[dict[str, Any]], T]) -> T:
    """Return the result of `make` for an object's fields; Damaged when they are not the fields that were written."""
    try:
        return make(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Damaged(
            f"the object {name} is damaged: {len(content):,} bytes, not the JSON that was written", step=Step.REMOVE
        ) from None
