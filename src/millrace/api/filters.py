"""The query parameters of the routes: checked, and each with a limit."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self
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
from typing_extensions import TypeAliasType

from millrace.api.periods import MAX_DAYS, Period, days_of

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
        raise ValueError("expected a day from 1990-01-01 to 2199-12-31")
    return value


def _lower(values: list[str]) -> list[str]:
    return [value.lower() for value in values]


def _zone(name: str) -> str:
    if name not in zones():
        raise ValueError("expected a time zone of the IANA database, e.g. Europe/Berlin")
    return name


_Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Names = Annotated[list[_Name], Field(max_length=_MAX_VALUES), AfterValidator(_trimmed)]
_Words = Annotated[_Names, AfterValidator(_lower)]
_Bands = Annotated[list[Literal["low", "medium", "high", "unknown"]], Field(max_length=_MAX_VALUES)]
_Day = Annotated[
    date, BeforeValidator(_text_of_a_day), WithJsonSchema({"type": "string", "format": "date", "pattern": _DAY})
]
TimeZone = TypeAliasType(
    "TimeZone", Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string", "enum": sorted(zones())})]
)


def _names(what: str) -> Any:
    return Field(default_factory=list, description=f"Only of these {what}; may be repeated.")


class Filters(BaseModel):
    """Filters of all routes. Both days of a range are included."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)
    DEFAULT_DAYS: ClassVar[int] = 90

    from_: Annotated[_Day | None, _NeverNull()] = Field(None, alias="from", description="The first day.")
    to: Annotated[_Day | None, _NeverNull()] = Field(None, description="The last day; else today.")
    tz: Annotated[TimeZone | None, _NeverNull()] = Field(
        None, description="Whose days and weeks: a name of the IANA database; else the reporting time zone's."
    )
    limit: int = Field(100, ge=1, le=1000, description="How many rows at most.")
    offset: int = Field(0, ge=0, le=10_000_000, description="How many rows to leave out first.")
    order: Annotated[Literal["asc", "desc"] | None, _NeverNull()] = Field(
        None, description="Else as it suits the column."
    )
    period: Annotated[Period | None, _NeverNull()] = Field(
        None,
        description="In place of from and to, in the zone of tz: today, the day before, the 7 or 30 days that end "
        "today, a calendar month or year, or all there is. A running period ends today.",
    )
    format: Literal["json", "csv"] = Field("json", description="csv gives the rows alone.")

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.period and (self.from_ or self.to):
            raise ValueError("expected either period, or from and to, got both")
        last = self.to or max(datetime.now(UTC).date() + timedelta(days=1), self.from_ or date.min)  # today somewhere
        if self.from_ and not timedelta(0) <= last - self.from_ <= timedelta(days=MAX_DAYS):
            raise ValueError(f"from has to be on or before to (else: today), and at most {MAX_DAYS:,} days before it")
        return self

    def dated(self, now: datetime, zone: str) -> Self:
        """Return the same filters with both days set; `zone` is that of the marts."""
        today = now.astimezone(ZoneInfo(self.tz or zone)).date()
        if self.period:
            first, to = days_of(self.period, today)
            return self.model_copy(update={"from_": first, "to": to})
        to = self.to or max(today, self.from_ or date.min)
        first = self.from_ or to - timedelta(days=self.DEFAULT_DAYS - 1)
        return self.model_copy(update={"from_": first, "to": to})


class NoFilters(BaseModel):
    """Filters of routes that take none."""

    model_config = ConfigDict(extra="forbid")


class WeeklyFilters(Filters):
    """Filters for merged pull requests. A week is in the range when its Monday is."""

    DEFAULT_DAYS: ClassVar[int] = 182

    repo: _Names = _names("repositories")
    developer: _Names = _names("developers")
    person: _Names = _names("people: a developer, or the user id of one that no developer is matched to")
    band: _Bands = _names("AI bands")


class SpendFilters(Filters):
    """Filters for the cost of agents beside what was merged. A week is in the range when its Monday is."""

    DEFAULT_DAYS: ClassVar[int] = 182

    repo: _Names = _names("repositories")
    developer: _Names = _names("developers")
    person: _Names = _names("people: a developer, or the user id of one that no developer is matched to")
    provider: _Words = _names("providers")
    model: _Words = _names("models")


class UsageFilters(Filters):
    """Filters for the usage of coding agents."""

    project: _Names = _names("projects")
    repo: _Names = _names("repositories, by the map of projects")
    developer: _Names = _names("developers, by the map of users")
    person: _Names = _names("people: a developer, or the user id of one that no developer is matched to")
    agent: _Words = _names("coding agents")
    provider: _Words = _names("providers")
    model: _Words = _names("models")


class ProjectFilters(UsageFilters):
    """Filters for the list of projects; without a range, or with the period `all`, it covers all time."""

    include_stats: bool = Field(False, description="With sessions, tokens and money.")

    def dated(self, now: datetime, zone: str) -> Self:
        """Return the same filters, with both days set if one is."""
        is_dated = self.from_ or self.to or self.period not in (None, "all")
        return super().dated(now, zone) if is_dated else self


class ListFilters(UsageFilters):
    """Filters for lists beside which both usage and merged pull requests stand.

    Merged pull requests are of the days when they were merged, and have no project, agent, provider or model.
    """


def sorted_by(filters: type[Filters], columns: Iterable[str]) -> type[Filters]:
    """Return the filters with `sort`, by one of the columns; the first one is the default."""
    first, *others = columns
    kind: Any = Literal[(first, *others)]
    return create_model(
        f"{filters.__name__}By{first.title().replace('_', '')}",
        __base__=filters,
        sort=(kind, Field(first, description="By which column.")),
    )
