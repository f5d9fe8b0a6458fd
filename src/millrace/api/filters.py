"""The query parameters of the routes: checked, and each with a limit."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    create_model,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema

from millrace.api.periods import MAX_DAYS, Period, days_of

ROWS_OF_A_PAGE = 100
_MAX_VALUES = 50
_DAY = r"^(199[0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


@cache
def zones() -> frozenset[str]:
    """Return the names of time zones without `localtime`, which is the zone of one machine, unknown to a warehouse."""
    return frozenset(available_timezones() - {"localtime"})


class _NeverNull:
    """Removes null from the schema of a parameter that may be omitted (None), but cannot be sent as null."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kinds: list[JsonSchemaValue] = handler(schema)["anyOf"]
        return next(kind for kind in kinds if kind != {"type": "null"})


def _trimmed(values: list[str]) -> list[str]:
    return [value.strip() for value in values if value.strip()]


def _text_of_a_day(value: object) -> object:
    """Raise ValueError for what pydantic also accepts as a day: an instant, or the seconds since 1970."""
    if isinstance(value, str) and not re.fullmatch(_DAY, value):
        raise ValueError("expected a day from 1990-01-01 to 2199-12-31, like 2026-01-31")
    return value


def _lower(values: list[str]) -> list[str]:
    return [value.lower() for value in values]


@cache
def _zones_by_lower_case() -> dict[str, str]:
    return {name.lower(): name for name in zones()}


def _zone(name: str) -> str:
    found = _zones_by_lower_case().get(name.lower())
    if found is None:
        raise ValueError("expected a time zone of the IANA database, like Europe/Berlin")
    return found


def _given(values: object) -> object:
    """Return a list of values without those that are empty."""
    return [value for value in values if value != ""] if isinstance(values, list) else values


def _word(value: object) -> object:
    """Return a value of an enumeration as it is written there, whatever its letter case."""
    return value.lower() if isinstance(value, str) else value


SourceState = Literal["known", "known_empty", "provisional", "unknown", "refused"]
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_Name = Annotated[str, Field(max_length=200, pattern=_PRINTABLE)]
_Names = Annotated[list[_Name], Field(max_length=_MAX_VALUES), AfterValidator(_trimmed)]
_Words = Annotated[_Names, AfterValidator(_lower)]
_AnyCase = BeforeValidator(_word)
_Band = Annotated[Literal["low", "medium", "high", "unknown"], _AnyCase]
_Bands = Annotated[list[_Band], Field(max_length=_MAX_VALUES), BeforeValidator(_given)]
_Opener = Annotated[Literal["agent", "bot", "person"], _AnyCase]
_Openers = Annotated[list[_Opener], Field(max_length=_MAX_VALUES), BeforeValidator(_given)]
_State = Annotated[SourceState, _AnyCase]
_States = Annotated[list[_State], Field(max_length=_MAX_VALUES), BeforeValidator(_given)]
_Day = Annotated[
    date, BeforeValidator(_text_of_a_day), WithJsonSchema({"type": "string", "format": "date", "pattern": _DAY})
]
TimeZone = Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string", "pattern": _PRINTABLE})]


def _names(what: str, *examples: str) -> Any:
    said = f"Only of these {what}, in any letter case; may be repeated."
    return Field(default_factory=list, description=said, examples=[list(examples)] if examples else None)


_REPOSITORY, _DEVELOPER = "acme-corp/service-01", "user_002"
_MODELS = "models: an id in the logs, or a name in the rate card for all of its ids"
_PEOPLE = "people: a developer, or the user id of one that no developer is matched to"


class Filters(BaseModel):
    """Filters of all routes. Both days of a range are included."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)
    DEFAULT_DAYS: ClassVar[int] = 90

    from_: Annotated[_Day | None, _NeverNull()] = Field(
        None, alias="from", description="The first day.", examples=["2026-10-01"]
    )
    to: Annotated[_Day | None, _NeverNull()] = Field(
        None, description="The last day; else today.", examples=["2026-10-31"]
    )
    period: Annotated[Annotated[Period, _AnyCase] | None, _NeverNull()] = Field(
        None,
        description="In place of from and to, in the zone of tz: today, the day before, the 7 or 30 days that end "
        "today, a calendar month or year, or all there is. A running period ends today.",
    )
    tz: Annotated[TimeZone | None, _NeverNull()] = Field(
        None,
        description="Whose days and weeks: a name of the IANA database, in any letter case; else the reporting time "
        "zone's.",
        examples=["Europe/Berlin"],
    )
    limit: Annotated[Annotated[int, Field(ge=1, le=1000)] | None, _NeverNull()] = Field(
        None, description=f"How many rows at most: else {ROWS_OF_A_PAGE} as JSON, and all as CSV."
    )
    offset: int = Field(0, ge=0, le=10_000_000, description="How many rows to leave out first.")
    order: Annotated[Annotated[Literal["asc", "desc"], _AnyCase] | None, _NeverNull()] = Field(
        None, description="Else as it suits the column."
    )
    format: Annotated[Literal["json", "csv"], _AnyCase] = Field(
        "json", description="csv has the rows alone. It wins over the header Accept."
    )
    money: Annotated[Literal["number", "text"], _AnyCase] = Field(
        "number", description="In JSON: text has every decimal digit, in quotes."
    )

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """Drop empty parameters, and read `sort=-week` as the descending order of a column."""
        if not isinstance(given, dict):
            return given
        known = {field.alias or name for name, field in cls.model_fields.items()}
        kept = {name: value for name, value in given.items() if not (name in known and value == "")}
        column = kept.get("sort")
        if isinstance(column, str) and column.startswith("-"):
            if "order" in kept:
                raise ValueError(f"expected either sort={column} or order, got both")
            kept |= {"sort": column[1:], "order": "desc"}
        return kept

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.period and (self.from_ or self.to):
            raise ValueError("expected either period, or from and to, got both")
        last = self.to or max(datetime.now(UTC).date() + timedelta(days=1), self.from_ or date.min)  # today somewhere
        if self.from_ and not timedelta(0) <= last - self.from_ <= timedelta(days=MAX_DAYS):
            raise ValueError(f"from has to be on or before to (else: today), and at most {MAX_DAYS:,} days before it")
        return self

    def dated(self, now: datetime, zone: str) -> Self:
        """Return the same filters with the days and, but for CSV, the limit set; `zone` is that of the marts."""
        limit = self.limit or (None if self.format == "csv" else ROWS_OF_A_PAGE)
        today = now.astimezone(ZoneInfo(self.tz or zone)).date()
        if self.period:
            first, to = days_of(self.period, today)
            return self.model_copy(update={"from_": first, "to": to, "limit": limit})
        to = self.to or max(today, self.from_ or date.min)
        first = self.from_ or to - timedelta(days=self.DEFAULT_DAYS - 1)
        return self.model_copy(update={"from_": first, "to": to, "limit": limit})


_Some = TypeVar("_Some", bound=Filters)


class NoFilters(BaseModel):
    """Filters of routes that take none."""

    model_config = ConfigDict(extra="forbid")


class WeeklyFilters(Filters):
    """Filters for merged pull requests. A week is in the range when its Monday is."""

    DEFAULT_DAYS: ClassVar[int] = 182

    repo: _Names = _names("repositories", _REPOSITORY)
    developer: _Names = _names("developers", _DEVELOPER)
    person: _Names = _names(_PEOPLE, _DEVELOPER)
    band: _Bands = _names("AI bands")


class SpendFilters(Filters):
    """Filters for the cost of agents beside what was merged. A week is in the range when its Monday is."""

    DEFAULT_DAYS: ClassVar[int] = 182

    repo: _Names = _names("repositories", _REPOSITORY)
    developer: _Names = _names("developers", _DEVELOPER)
    person: _Names = _names(_PEOPLE, _DEVELOPER)
    provider: _Words = _names("providers", "anthropic")
    model: _Words = _names(_MODELS, "claude-sonnet-4-5")


class OpenedFilters(Filters):
    """Filters for pull requests in the weeks of their opening. A week is in the range when its Monday is."""

    DEFAULT_DAYS: ClassVar[int] = 182

    repo: _Names = _names("repositories", _REPOSITORY)
    opened_by: _Openers = _names("kinds of authors", "agent")
    opened_by_agent: _Words = _names("coding agents that opened them", "codex")


class UsageFilters(Filters):
    """Filters for the usage of coding agents."""

    project: _Names = _names("projects")
    repo: _Names = _names("repositories, by the map of projects", _REPOSITORY)
    developer: _Names = _names("developers, by the map of users", _DEVELOPER)
    person: _Names = _names(_PEOPLE, _DEVELOPER)
    agent: _Words = _names("coding agents", "claude")
    provider: _Words = _names("providers", "anthropic")
    model: _Words = _names(_MODELS, "claude-sonnet-4-5")


def _dated_if_asked(asked: _Some, dated: _Some) -> _Some:
    """Return the filters without days where none were asked for."""
    is_dated = asked.from_ or asked.to or asked.period not in (None, "all")
    return dated if is_dated else dated.model_copy(update={"from_": None, "to": None})


class ProjectFilters(UsageFilters):
    """Filters for the list of projects; without a range, or with the period `all`, it covers all time."""

    include_stats: bool = Field(False, description="With sessions, tokens and money.")

    def dated(self, now: datetime, zone: str) -> Self:
        """Return the same filters, with both days set if one is."""
        return _dated_if_asked(self, super().dated(now, zone))


class SourceFilters(Filters):
    """Filters for what was read of the sources. Without a range, or with the period `all`, it covers all time.

    A range is that of the days on which it was last read.
    """

    state: _States = _names("states", "refused", "unknown")

    def dated(self, now: datetime, zone: str) -> Self:
        """Return the same filters, with both days set if one is."""
        return _dated_if_asked(self, super().dated(now, zone))


class ListFilters(UsageFilters):
    """Filters for lists beside which both usage and merged pull requests stand.

    Merged pull requests are of the days when they were merged, and have no project, agent, provider or model.
    """


def sorted_by(filters: type[Filters], columns: Iterable[str]) -> type[Filters]:
    """Return the filters with `sort`, by one of the columns; the first one is the default."""
    first, *others = columns
    kind: Any = Annotated[Literal[(first, *others)], _AnyCase]
    return create_model(
        f"{filters.__name__}By{first.title().replace('_', '')}",
        __base__=filters,
        sort=(kind, Field(first, description="By which column; with - before it in descending order.")),
    )
