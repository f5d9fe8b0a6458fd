"""The limits of one server: which request is refused, and for how long the refusals last."""

import math
from dataclasses import dataclass, field
from typing import Literal

from simulator.github.clock import Clock
from simulator.github.knobs import Knobs
from simulator.github.limits import GRAPHQL_POINTS_PER_MINUTE, MINUTE_S, REST_POINTS_PER_MINUTE, Minute, Window
from simulator.github.wire import SECONDARY, Exchange, Refusal, RequestLog

_Form = Literal["header", "text", "at 200"]


@dataclass(slots=True)
class Limiter:
    """Refuses requests as the documented limits and the knobs want."""

    knobs: Knobs
    clock: Clock
    log: RequestLog
    caller: int
    windows: dict[str, Window] = field(init=False)
    _minutes: dict[str, Minute] = field(init=False)
    _refuses_until_s: float = 0.0
    _form: _Form = "header"

    def __post_init__(self) -> None:
        """Begin with full budgets."""
        self.windows = {name: Window(name, self.knobs.budget, self.clock) for name in ("core", "graphql")}
        self._minutes = {
            "core": Minute(REST_POINTS_PER_MINUTE, self.clock),
            "graphql": Minute(GRAPHQL_POINTS_PER_MINUTE, self.clock),
        }

    def check(self, exchange: Exchange) -> None:
        """Raise Refusal for a request beyond a limit. An exhausted budget of GraphQL is left to its endpoint."""
        exchange.is_limited = True
        self._check_secondary(exchange)
        if self.knobs.has_limits:
            if not self.windows[exchange.resource].remaining:
                self.log.while_limited += 1
                if exchange.resource == "core":  # GraphQL answers 200 with an error instead
                    raise Refusal(self.knobs.limit_status, f"API rate limit exceeded for user ID {self.caller}.")
            if (wait_s := self._minutes[exchange.resource].spend(1)) is not None:
                raise Refusal(self.knobs.limit_status, SECONDARY, {"Retry-After": str(wait_s)})
        exchange.is_limited = False

    def _check_secondary(self, exchange: Exchange) -> None:
        knobs, now_s = self.knobs, self.clock.now_s()
        forms: dict[_Form, bool] = {
            "header": exchange.number in knobs.secondary_at,
            "text": exchange.number in knobs.secondary_without_headers_at,
            "at 200": exchange.number in knobs.secondary_at_200,
        }
        if now_s < self._refuses_until_s:
            self.log.while_limited += 1
        elif any(forms.values()):
            self._form = next(form for form, is_now in forms.items() if is_now)
            self._refuses_until_s = now_s + MINUTE_S
        else:
            return
        if self._form == "at 200" and exchange.resource == "graphql":
            refusal = Refusal(200, SECONDARY)
            refusal.body = {"errors": [{"message": SECONDARY}]}
            raise refusal
        wait = {"Retry-After": str(math.ceil(self._refuses_until_s - now_s))} if self._form == "header" else {}
        raise Refusal(knobs.limit_status, SECONDARY, wait)
