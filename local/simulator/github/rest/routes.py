"""REST."""

from typing import Any

from simulator.answers import SimulatedResponse
from simulator.github.wire import Refusal


class Rest:
    """Answers every path 404."""

    def __init__(self, *given: Any) -> None:
        pass

    def answer(self, *given: Any) -> tuple[SimulatedResponse, list[Any]]:
        """Raise Refusal."""
        raise Refusal(404, "Not Found")
