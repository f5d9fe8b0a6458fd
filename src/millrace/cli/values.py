"""The types of the values of options."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import click


class DayOption(click.ParamType[date]):
    """A day like 2026-01-31."""

    name = "YYYY-MM-DD"
    what = "a day like 2026-01-31"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day that a text names."""
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"expected {self.what}, got {value!r}", param, ctx)


class Since(DayOption):
    """A day like 2026-01-31, or so many days or weeks before today (in UTC), like 90d or 12w."""

    name = "90d|12w|DAY"
    what = "90d, 12w or a day like 2026-01-31"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day that a text names."""
        ago = re.fullmatch(r"([1-9][0-9]{0,3})([dw])", str(value), re.ASCII)
        if ago is None:
            return super().convert(value, param, ctx)
        return datetime.now(UTC).date() - timedelta(days=int(ago[1]) * (7 if ago[2] == "w" else 1))


class TimeOption(click.ParamType[time]):
    """A time of the day like 12:30."""

    name = "HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> time:
        """Return the time that a text names."""
        if isinstance(value, time):
            return value
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
            self.fail(f"expected a time like 12:30, got {value!r}", param, ctx)
        return time.fromisoformat(value)


class Number(click.ParamType[int]):
    """A whole number within limits, of something that a refusal names."""

    name = "N"

    def __init__(self, least: int, most: int, what: str) -> None:
        self._least, self._most, self._what = least, most, what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number in a text."""
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or not self._least <= number <= self._most:
            self.fail(f"expected {self._least} to {self._most:,} {self._what}, got {value}", param, ctx)
        return number


class Share(click.ParamType[float]):
    """A number between 0 and 1."""

    name = "SHARE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number in a text."""
        try:
            share = float(value)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"expected a number from 0 to 1, got {value}", param, ctx)
        return share


class Instant(click.ParamType[str]):
    """An instant like 2026-11-28T00:00:00Z, which stays a text."""

    name = "INSTANT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text of an instant that has a time zone."""
        try:
            is_good = datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            is_good = False
        if not is_good:
            self.fail(f"expected an instant like 2026-11-28T00:00:00Z, got {value!r}", param, ctx)
        return str(value)


class Setting(click.ParamType[tuple[str, str]]):
    """A variable of the environment and its value."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the name and the value; only variables that a schedule passes are taken."""
        from millrace.collect.schedule import PASSED

        name, sign, text = value.partition("=")
        if name not in PASSED or not sign:
            self.fail(f"expected NAME=VALUE with a variable of a schedule, got {value!r}", param, ctx)
        return name, text


class Agents(click.ParamType[tuple[str, ...]]):
    """Names of coding agents, separated by commas."""

    name = "agents"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the agent names in a text; each has to be known."""
        from millrace.collect.parsers.agents import AGENTS

        names = tuple(part.strip() for part in value.split(",") if part.strip())
        if not names or not set(names) <= set(AGENTS):
            self.fail(f"expected names of {', '.join(AGENTS)}, separated by commas, got {value!r}", param, ctx)
        return names


class OwnerNames(click.ParamType[frozenset[str]]):
    """Owners of repositories, separated by commas."""

    name = "OWNERS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        """Return the names in a text, in lower case."""
        from millrace.addresses import owner_names
        from millrace.errors import ConfigError

        try:
            names = owner_names(self.name, value)
        except ConfigError:
            names = None
        if names is None:
            self.fail(f"expected owners of repositories like acme,other, got {value!r}", param, ctx)
        return names
