"""The bus: messages between functions, at least once and in any order."""

from collections.abc import Mapping
from typing import Protocol

EXTRACT_REQUESTS = "extract-requests"
EXTRACT_EVENTS = "extract-events"
OBJECT_EVENTS = "object-events"


class Bus(Protocol):
    """Publishes to topics."""

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        """Publish one message; after this returns, it is delivered at least once."""
