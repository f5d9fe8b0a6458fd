"""Sums of usage: tokens, costs as exact integers, and how far they can be relied on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from millrace.prices import CostSource, RateCard, choose, cost_of, to_picodollars

Row = Sequence[Any]
"""An event of the store: `collect.records.COLUMNS`."""
Cost = tuple[int | None, CostSource | None]
"""An amount of 1e-12 USD, None when it is unknown, and its source."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
_EXACT = Context(prec=100)
_DECIMALS = 12


@dataclass(slots=True)
class Sums:
    """The sums of some events. `cost` is of the responses with a known cost, in 1e-12 USD.

    `unpriced_tokens` are those of the responses without one. `is_lower_bound`: at least these tokens were used.
    `is_estimated`: tokens of a response follow from a text's length; `is_cost_estimated`: so does a part of the cost.
    """

    user_message_count: int = 0
    assistant_message_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    cost: int = 0
    n_cost: int = 0
    unpriced_tokens: int = 0
    is_lower_bound: bool = False
    is_estimated: bool = False
    is_cost_estimated: bool = False

    @property
    def cache_write_tokens(self) -> int:
        """All tokens that were written to a cache."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def total_tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def is_cost_known(self) -> bool:
        """Whether the cost of a response is known, or there was none."""
        return self.n_cost > 0 or not self.assistant_message_count

    @property
    def is_cost_lower_bound(self) -> bool:
        """Whether the cost leaves out a response, or tokens that were not counted."""
        return self.is_lower_bound or self.n_cost < self.assistant_message_count

    @property
    def cost_usd(self) -> Decimal | None:
        """The cost in USD; None when that of no response is known."""
        return to_usd(self.cost) if self.is_cost_known else None

    def add(self, row: Row, priced: Cost) -> None:
        """Add an event with its cost."""
        cost, source = priced
        if row[4] == "user":
            self.user_message_count += 1
            return
        came_in, said, read, written_5m, written_1h, thought, is_estimated = row[10:17]
        self.assistant_message_count += 1
        self.input_tokens += came_in or 0
        self.output_tokens += said or 0
        self.cache_read_tokens += read or 0
        self.cache_write_5m_tokens += written_5m or 0
        self.cache_write_1h_tokens += written_1h or 0
        self.reasoning_tokens += thought or 0
        if cost is None:
            self.unpriced_tokens += tokens_of(row)
        else:
            self.cost += cost
            self.n_cost += 1
        if source == "estimated":
            self.is_cost_estimated = True
        if is_estimated:
            self.is_estimated = True
        if row[20] or came_in is None or said is None:
            self.is_lower_bound = True

    def merge(self, other: "Sums") -> None:
        """Add other sums."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.is_lower_bound |= other.is_lower_bound
        self.is_estimated |= other.is_estimated
        self.is_cost_estimated |= other.is_cost_estimated


_COUNTS = tuple(name for name in Sums.__slots__ if not name.startswith("is_"))


class Pricing:
    """The cost of each event and its source, by the rate card or by what the agent reports."""

    def __init__(self, card: RateCard) -> None:
        self._card = card
        self._days: dict[int, date] = {}

    def cost(self, row: Row) -> Cost:
        """Return the cost of an event in 1e-12 USD, None when it is unknown, and its source; a prompt costs nothing."""
        if row[4] == "user":
            return 0, None
        number = row[5] // _DAY_US
        day = self._days.get(number)
        if day is None:
            day = self._days[number] = (_EPOCH + timedelta(days=number)).date()
        came_in, said, read, written_5m, written_1h = row[10:15]
        context = (came_in or 0) + (read or 0) + (written_5m or 0) + (written_1h or 0)
        rates = self._card.rates(row[8], row[9], row[18], day, context)
        cost = cost_of(
            rates,
            input_tokens=came_in,
            output_tokens=said,
            cache_read_tokens=read,
            cache_write_5m_tokens=written_5m,
            cache_write_1h_tokens=written_1h,
            web_searches=row[19],
        )
        reported = None if row[17] is None else to_picodollars(Decimal(row[17]))
        return choose(cost, rates, reported, is_estimated=bool(row[16]), provider=row[7])


def tokens_of(row: Row) -> int:
    """Return the sum of all known tokens of an event."""
    return sum(part or 0 for part in row[10:15])


def to_usd(picodollars: int) -> Decimal:
    """Return an amount of 1e-12 USD in USD, with twelve decimals."""
    return Decimal(picodollars).scaleb(-_DECIMALS, _EXACT)
