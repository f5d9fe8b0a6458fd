"""The models of the answers. Rows of a mart have the columns of its dbt contract, with dbt's own descriptions."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    WithJsonSchema,
    create_model,
)

from millrace.api import comparisons, definitions

Row = TypeVar("Row", bound=BaseModel)


def _in_utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _money(amount: Decimal, info: SerializationInfo) -> float | str:
    """Return an amount as a number, or where its digits count as text."""
    return format(amount, "f") if info.context == MONEY_AS_TEXT else float(amount)


MONEY_AS_TEXT = "text"
Money = Annotated[Decimal, PlainSerializer(_money), WithJsonSchema({"type": "number"})]
Instant = Annotated[datetime, AfterValidator(_in_utc)]
_TYPES: dict[str, Any] = {
    "bigint": int,
    "boolean": bool,
    "date": date,
    "decimal(38, 12)": Money,
    "double": float,
    "timestamp": Instant,
    "varchar": str,
}


class Answer(BaseModel, Generic[Row]):
    """A page of rows, with their source, range and time zone."""

    model_config = ConfigDict(populate_by_name=True)

    source: Literal["marts", "events"] = Field(
        description="Read from a mart; or made from the events by the mart's definition, because it could not answer."
    )
    as_of: Instant | None = Field(description="The newest extraction of pull requests in it, of any source.")
    built_through: int = Field(description="The load sequence through which all changes are in it.")
    time_zone: str = Field(description="Whose days and weeks.")
    from_: date | None = Field(alias="from", description="The first day; null: all time.")
    to: date | None = Field(description="The last day.")
    total_count: int = Field(description="How many rows there are in all.")
    limit: int
    offset: int
    has_more: bool
    rows: list[Row]


class Measures(BaseModel):
    """Sums over responses. Money is USD."""

    assistant_message_count: int = Field(description="Responses of models.")
    input_tokens: int = Field(description="Fresh input: neither read from the cache nor written to it.")
    output_tokens: int = Field(description="Output, reasoning included.")
    cache_read_tokens: int = Field(description="Input that was read from the cache.")
    cache_write_5m_tokens: int = Field(description="Input that was written to the cache for five minutes.")
    cache_write_1h_tokens: int = Field(description="Input that was written to the cache for an hour.")
    reasoning_tokens: int = Field(description="The part of the output that was reasoning.")
    total_tokens: int = Field(description="Input, output and cache.")
    lower_bound_count: int = Field(
        description="Responses that used at least the counted tokens, and no log can tell how many more."
    )
    cost_usd: Money | None = Field(description="Of the responses with a known cost; null when of none it is known.")
    n_cost: int = Field(description="Responses with a known cost.")
    reported_cost_usd: Money | None = Field(description="What the agents themselves report; null when none does.")


MEASURES = tuple(Measures.model_fields)


class Usage(Measures):
    """Sums over responses and prompts."""

    user_message_count: int = Field(description="Prompts of users.")


class Whole(Usage):
    """Totals of everything that the filters select."""

    session_count: int = Field(description="Different sessions.")


class DashboardWhole(Whole):
    """Totals of everything that the filters select, with users and projects."""

    user_count: int = Field(description="Different known users.")
    project_count: int = Field(description="Different known projects.")


class Day(Whole):
    """Totals of one day."""

    day: date


class Provider(Measures):
    """Totals of one provider; null where the logs do not name it. Prompts have no provider."""

    provider: str | None
    session_count: int = Field(description="Different sessions with a response of it.")


class Model(Provider):
    """Totals of one model of a provider."""

    model: str | None


class ModelDay(Measures):
    """Totals of one model on one day."""

    day: date
    provider: str | None
    model: str | None


class Kinds(BaseModel):
    """The tokens of a day by kind; the kinds do not overlap."""

    day: date
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int


class Week(Usage):
    """Totals of seven days."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from")
    to: date


class Trend(BaseModel):
    """The last seven days of the range, compared with the seven before."""

    current: Week
    prior: Week
    cost_change: float | None = Field(description="By which share the cost changed; null where that is not known.")


class Unpriced(BaseModel):
    """A key of the rate card without a price: the cost of its responses is unknown."""

    agent: str
    provider: str | None
    model: str | None
    speed: str = Field(description="standard, fast, flex, batch or ultrafast; standard where the logs do not say.")
    region: str | None = Field(description="Where the provider promised to answer; null where the logs do not say.")
    context: int | None = Field(
        description="context_over_tokens of the missing price; 0: of any length; null: not known before a build."
    )
    gap: str | None = Field(
        description="What is missing: a price of the model, speed, region, day or context, a rate of a kind that was "
        "used, or in the log no_model or no_tokens; null: not known before a build."
    )
    responses: int
    total_tokens: int


class PeriodTotals(BaseModel):
    """The usage of coding agents, its cost, and what was merged, in one range of days."""

    user_count: int | None = Field(None, description="Different users in the logs.")
    cost_usd: Money | None = Field(None, description="Of the responses with a known cost; null when of none it is.")
    n_cost: int | None = Field(None, description="Responses with a known cost; null where no log is matched to it.")
    assistant_message_count: int | None = Field(
        None, description="Responses of models; null where no log is matched to it."
    )
    user_message_count: int | None = Field(None, description="Prompts; null where no log is matched to it.")
    total_tokens: int | None = Field(None, description="Input, output and cache; null where no log is matched to it.")
    session_count: int | None = Field(None, description="Different sessions; null where no log is matched to it.")
    merged_prs: int | None = Field(None, description="Pull requests that were merged in the range.")
    lines_added: int | None = Field(None, description="Lines added by these pull requests, where known.")
    ai_line_share: float | None = Field(None, description="Lines added by AI / lines added, where both are known.")
    ai_known_prs: int | None = Field(None, description="Merged pull requests whose lines added by AI are known.")
    ai_matched_commits: int | None = Field(
        None, description="Commits whose AI lines are counted; null where none is of GitHub."
    )
    ai_matchable_commits: int | None = Field(
        None, description="Commits of GitHub whose AI lines could be known; null where there is none."
    )
    p50_cycle_time_hours: float | None = Field(None, description="Median of the cycle time in hours.")
    n_cycle_time_hours: int | None = Field(None, description="Pull requests whose cycle time is known.")


class PeopleTotals(PeriodTotals):
    """Totals of all people. Sessions and users are counted once."""

    last_at: Instant | None = Field(None, description="The last event of a log in the range.")


class _Who(BaseModel):
    person: str | None = Field(description="The developer; the user id where none is matched; null where unknown.")
    developer: str | None = Field(description="The developer; null where no developer is matched to the user.")


class Person(PeopleTotals, _Who):
    """What one person used and merged. Unknown is null: no log of a developer without a matched user was read."""


class RepositoryTotals(PeriodTotals):
    """Totals of all repositories, and of the usage of none."""

    cost_per_merged_pr: float | None = Field(
        None, description="cost_usd / merged_prs, of the repositories whose cost is known."
    )
    ai_lines_added: int | None = Field(None, description="Lines added by AI, where known.")
    p90_cycle_time_hours: float | None = Field(None, description="90th percentile of the cycle time in hours.")
    reverted_prs: int | None = Field(None, description="Pull requests that were reverted.")
    revert_rate: float | None = Field(None, description="reverted_prs / n_revert_known, 0..1.")
    n_revert_known: int | None = Field(None, description="Pull requests that are known to be reverted or kept.")


class _OfRepository(BaseModel):
    repo_name: str | None = Field(description="The repository; null: usage of projects without one.")


class Repository(RepositoryTotals, _OfRepository):
    """What the projects of one repository used, and what was merged there."""


class _Named(BaseModel):
    model: str | None = Field(description="The name in the rate card; the id in the logs where it has no price.")
    provider: str | None = Field(description="Who served it; null where the logs do not name it.")
    model_ids: str | None = Field(description="The ids in the logs, with a comma and a blank between them.")


class NamedModel(Measures, _Named):
    """Totals of one model of the rate card, whose ids may differ by their date."""

    session_count: int = Field(description="Different sessions with a response of it.")


def _row(name: str, mart: str, left_out: tuple[str, ...] = ()) -> type[BaseModel]:
    """Return the model of a mart's rows; without some columns, for rows over several, each other may be null."""
    fields: dict[str, Any] = {}
    for column in definitions.load().models[mart].columns.values():
        if column.name not in left_out:
            kind = _TYPES[column.type]
            kind = kind if column.is_known and (not left_out or column.name == "week") else kind | None
            fields[column.name] = (kind, Field(description=column.description))
    return create_model(name, **fields)


def _projects() -> type[BaseModel]:
    """Return the model of a project. Its counts are optional: they are present only on request."""
    fields: dict[str, Any] = {}
    for column in definitions.load().models["usage_project"].columns.values():
        kind, is_always = _TYPES[column.type], column.name in ("project", "first_at", "last_at")
        said = Field(description=column.description) if is_always else Field(None, description=column.description)
        fields[column.name] = (kind if column.name in ("first_at", "last_at") else kind | None, said)
    return create_model("Project", **fields)


def _answer(name: str, row: type[BaseModel], **more: Any) -> type[BaseModel]:
    fields: dict[str, Any] = {field: (kind, ...) for field, kind in more.items()}
    return create_model(name, __base__=Answer[row], **fields)  # type: ignore[valid-type]


Projects = _answer("Projects", _projects())
Dashboard = _answer(
    "Dashboard", Day, totals=DashboardWhole, providers=list[Provider], models=list[Model], model_days=list[ModelDay]
)
Costs = _answer(
    "Costs",
    _row("Session", "usage_session"),
    totals=Whole,
    token_composition=list[Kinds],
    trend=Trend,
    unpriced=list[Unpriced],
)
ByProvider = _answer("ByProvider", Provider, totals=Whole)
ByModel = _answer("ByModel", Model, totals=Whole)


def _of_columns(name: str, mart: str, columns: tuple[str, ...]) -> type[BaseModel]:
    """Return a model of some columns of a mart."""
    known = definitions.load().models[mart].columns
    fields: dict[str, Any] = {}
    for column in (known[each] for each in columns):
        kind = _TYPES[column.type]
        fields[column.name] = (kind if column.is_known else kind | None, Field(description=column.description))
    return create_model(name, **fields)


def _sessions() -> type[BaseModel]:
    session: Any = _row("SessionColumns", "usage_session")
    return create_model("ListedSession", __base__=(session, _OfRepository, _Who))


_OF_PULL_REQUEST = (
    *("source", "account", "repo_name", "number", "developer", "created_at", "merged_at", "cycle_time_hours"),
    *("total_loc", "files_changed", "ai_ratio", "ai_band", "review_rounds", "comment_count"),
    *("is_reverted", "is_bug_fix"),
)
PullRequest = _of_columns("PullRequest", "merged_pull_requests", _OF_PULL_REQUEST)
People = _answer("People", Person, totals=PeopleTotals)
Repositories = _answer("Repositories", Repository, totals=RepositoryTotals)
Models = _answer("Models", NamedModel, totals=Whole)
ListedSession = _sessions()
Sessions = _answer("Sessions", ListedSession, totals=Whole)
PullRequests = _answer("PullRequests", PullRequest)
SourceWindow = _row("SourceWindow", "source_completeness")
Sources = _answer("Sources", SourceWindow)


Summary = _answer(
    "Summary",
    comparisons.SummaryMeasure,
    previous=comparisons.Between,
    is_running=bool,
    projected_cost_usd=float | None,
    coverage=comparisons.SummaryCoverage,
    people=Literal["names", "pseudonyms", "off"],
)


def _weekly(name: str, mart: str, **more: Any) -> type[BaseModel]:
    whole: Any = _row(f"{name}Totals", mart, _OF_ONE)
    return _answer(name, _row(f"{name}Row", mart), weeks_note=comparisons.WeeksNote, totals=whole | None, **more)


def _with_weeks(name: str, mart: str) -> type[BaseModel]:
    week: Any = _row(f"{name}Week", mart, tuple(column for column in _OF_ONE if column != "week"))
    return _weekly(name, mart, weeks=list[week])


_OF_ONE = ("source", "account", "week", "repo_name")
Velocity = _with_weeks("Velocity", "velocity")
ReviewCosts = _with_weeks("ReviewCosts", "review_costs")
Quality = _with_weeks("Quality", "quality")


class UsageMatch(BaseModel):
    """Usage that was matched alike: how its repository was found, and why there is none, or no developer."""

    matched_by: str | None = Field(description="What named the repository: file, remote, project or default.")
    repository_gap: str | None = Field(description="Why it is of no source, as in mart.usage_coverage; else null.")
    developer_gap: str | None = Field(description="Why there is no developer, as in mart.usage_coverage; else null.")
    assistant_message_count: int = Field(description="Responses of models.")
    n_cost: int = Field(description="Responses with a known cost.")
    cost_usd: Money | None = Field(description="Of the responses with a known cost; null when of none it is known.")


AiSpend = _weekly("AiSpend", "ai_spend_by_repo_week", matches=list[UsageMatch])
_bands: Any = _row("AiImpactBand", "ai_impact", _OF_ONE)
AiImpact = _answer(
    "AiImpact",
    _row("AiImpactRow", "ai_impact"),
    weeks_note=comparisons.WeeksNote,
    bands=list[_bands],
    effects=list[comparisons.AiEffect],
    effects_of=comparisons.AiEffectsOf,
)


# Medians of weeks do not make one of a range.
_OF_A_WEEK = ("source", "account", *_OF_ONE, "p50_open_to_merge_hours", "p50_cycle_time_hours")
OpenedBy: Any = _row("OpenedBy", "agent_pull_requests", _OF_A_WEEK)
OpenedByInAll: Any = create_model("OpenedByInAll", __base__=(comparisons.AcceptedShare, OpenedBy))
AgentPullRequests = _answer(
    "AgentPullRequests", _row("AgentPullRequestsRow", "agent_pull_requests"), agents=list[OpenedByInAll]
)


class Problem(BaseModel):
    """An error, with the next step (application/problem+json, RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    next_step: str
