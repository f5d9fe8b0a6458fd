# ruff: noqa: S608 - the names are our own, and values are bound
"""The usage of coding agents and its cost: by day, provider, model, project and session.

Tokens and money of any range are sums over `usage_daily`, whose measures are additive. Sessions are counted over
`usage_events`, and users and projects as distinct values of `usage_daily`: sums would count some of them twice.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from millrace.api.answers import MEASURES, Kinds
from millrace.api.filters import ProjectFilters, UsageFilters
from millrace.api.paging import PageOfRows, page
from millrace.api.plans import QueryPlan, Sql, and_, in_
from millrace.status import unpriced

_COUNTS = ("user_message_count", *(name for name in MEASURES if not name.endswith("_usd")))
_KINDS = tuple(name for name in Kinds.model_fields if name != "day")
# As in docs/metrics.md: the cost is NULL if it is unknown for all responses, and 0 if there are no responses.
_COST = (
    "CASE WHEN COALESCE(SUM(t.assistant_message_count), 0) = 0 THEN 0 WHEN SUM(t.n_cost) > 0 THEN SUM(t.cost_usd) END"
)
# Over the rows of `t`. With its table a name is the column's on every engine, also beside an alias of that name.
SUMS = ", ".join(
    [f"CAST(COALESCE(SUM(t.{name}), 0) AS BIGINT) AS {name}" for name in _COUNTS]
    + [f"CAST({_COST} AS DECIMAL(38, 12)) AS cost_usd"]
    + ["CAST(SUM(t.reported_cost_usd) AS DECIMAL(38, 12)) AS reported_cost_usd"]
)
# A project and a repository, each of which may be unknown, and neither of which is ever empty.
_PLACE = "COALESCE(project, '') || CHR(31) || COALESCE(repository, '')"
SAME_PLACE = " AND ".join(f"COALESCE(t.{name}, '') = COALESCE(r.{name}, '')" for name in ("project", "repository"))
"""Whether a row `r` of the mart project_repositories is of the project and repository of a row `t`."""
_KEYS = {"day": "DATE", "provider": "VARCHAR", "model": "VARCHAR"}
_PARTS = ((), ("day",), ("provider",), ("provider", "model"))
_MAX_UNPRICED = 50


def projects(plan: QueryPlan, filters: ProjectFilters) -> dict[str, Any]:
    """Return the projects, of all time or of what the filters select."""
    by_events = (filters.repo, filters.developer, filters.person, filters.agent, filters.provider, filters.model)
    is_whole = not (any(by_events) or filters.to)
    if is_whole and plan.is_there("usage_project"):
        plan.given["usage_project"] = _selected(plan.stored("usage_project"), and_(in_("project", filters.project)))
    else:
        apply_filters(plan.without_mart("usage_project"), filters)
    table = plan.table("usage_project")
    counts = ("session_count", "user_count", "agent_count")
    columns = (
        "project",
        "first_at",
        "last_at",
        *((*counts, "user_message_count", *MEASURES) if filters.include_stats else ()),
    )
    return page(plan, table, columns, filters, keys=("project",)).answer(plan)


def dashboard(plan: QueryPlan, filters: UsageFilters) -> dict[str, Any]:
    """Return the usage of each day, and the totals, also by provider and by model."""
    apply_filters(plan, filters)
    keys = ", ".join(_KEYS)
    plan.add("added", Sql(f"SELECT {keys}, {SUMS} FROM {plan.table('usage_daily')} AS t GROUP BY {keys}"))
    # One SELECT for each part: Snowflake documents no empty grouping set.
    added = plan.query(
        " UNION ALL ".join(f"SELECT {_named(part)}, {SUMS} FROM added AS t{_by(part)}" for part in _PARTS)
    )
    counted = {_place(row): row["session_count"] for row in _sessions_of_parts(plan)}
    parts: dict[tuple[int, ...], list[dict[str, Any]]] = {}
    for row in added:
        row["session_count"] = counted.get(_place(row), 0)
        parts.setdefault(_place(row)[0], []).append(row)
    days = PageOfRows.cut(sorted(parts.get((0, 1, 1), []), key=lambda row: row["day"]), filters)
    others = "COUNT(DISTINCT user_id) AS user_count, COUNT(DISTINCT project) AS project_count"
    (whole,) = plan.query(f"SELECT {others} FROM {plan.table('usage_daily')}")
    return days.answer(plan) | {
        "totals": parts[(1, 1, 1)][0] | whole,
        "providers": _by_cost(parts.get((1, 0, 1), [])),
        "models": _by_cost(parts.get((1, 0, 0), [])),
        "model_days": _model_days(plan, [row["day"] for row in days.rows]),
    }


def _sessions_of_parts(plan: QueryPlan) -> list[dict[str, Any]]:
    """Count the distinct sessions of each part; those of a provider or a model have a response of it."""
    events, keys = plan.table("usage_events"), ", ".join(_KEYS)
    is_response = "role = 'assistant' AS is_response"
    plan.add("sessions", Sql(f"SELECT DISTINCT {keys}, {is_response}, agent, session_id FROM {events}"))
    counts = []
    for part in _PARTS:
        where = " WHERE is_response" if "provider" in part else ""
        different = f"SELECT DISTINCT {', '.join((*part, 'agent', 'session_id'))} FROM sessions{where}"
        counts.append(f"SELECT {_named(part)}, COUNT(*) AS session_count FROM ({different}) AS t{_by(part)}")
    return plan.query(" UNION ALL ".join(counts))


def _named(part: tuple[str, ...]) -> str:
    """Return the columns that name a part's rows: each key with whether it is absent, and NULL where it is."""
    return ", ".join(
        f"{f't.{key}' if key in part else f'CAST(NULL AS {kind})'} AS {key}, {int(key not in part)} AS no_{key}"
        for key, kind in _KEYS.items()
    )


def _by(part: tuple[str, ...]) -> str:
    return f" GROUP BY {', '.join(f't.{key}' for key in part)}" if part else ""


def _place(row: dict[str, Any]) -> tuple[tuple[int, ...], object, object, object]:
    return (row["no_day"], row["no_provider"], row["no_model"]), row["day"], row["provider"], row["model"]


def _by_cost(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts with responses, the most expensive first. Prompts have no provider and no model."""
    found = [row for row in rows if row["assistant_message_count"]]
    return sorted(found, key=lambda row: (-(row["cost_usd"] or 0), row["provider"] or "", row["model"] or ""))


def _model_days(plan: QueryPlan, days: list[date]) -> list[dict[str, Any]]:
    if not days:
        return []
    text = """SELECT * FROM added WHERE day BETWEEN ? AND ? AND assistant_message_count > 0
        ORDER BY day, cost_usd DESC NULLS LAST, provider, model"""
    return plan.query(text, [min(days), max(days)])


def by_provider(plan: QueryPlan, filters: UsageFilters) -> dict[str, Any]:
    """Return the cost of each provider's models."""
    return _of_models(plan, filters, ("provider",))


def by_model(plan: QueryPlan, filters: UsageFilters) -> dict[str, Any]:
    """Return the cost of each model."""
    return _of_models(plan, filters, ("provider", "model"))


def _of_models(plan: QueryPlan, filters: UsageFilters, keys: tuple[str, ...]) -> dict[str, Any]:
    apply_filters(plan, filters)
    daily, events, names = plan.table("usage_daily"), plan.table("usage_events"), ", ".join(keys)
    has_any = "HAVING SUM(t.assistant_message_count) > 0"
    added = Sql(f"SELECT {names}, {SUMS} FROM {daily} AS t GROUP BY {names} {has_any}")
    different = f"SELECT DISTINCT {names}, agent, session_id FROM {events} WHERE role = 'assistant'"
    counted = Sql(f"SELECT {names}, COUNT(*) AS session_count FROM ({different}) AS different GROUP BY {names}")
    same = " AND ".join(f"added.{key} IS NOT DISTINCT FROM counted.{key}" for key in keys)
    plan.add("added", added)
    plan.add("counted", counted)
    measures = ", ".join(f"added.{name}" for name in (*keys, *MEASURES))
    joined = (
        f"SELECT {measures}, COALESCE(counted.session_count, 0) AS session_count FROM added LEFT JOIN counted ON {same}"
    )
    plan.add("joined", Sql(joined))
    found = page(plan, "joined", (*keys, "session_count", *MEASURES), filters, keys)
    return found.answer(plan) | {"totals": whole(plan)}


def whole(plan: QueryPlan) -> dict[str, Any]:
    """Return the measures over everything, and the number of sessions."""
    daily, events = plan.table("usage_daily"), plan.table("usage_events")
    (added,) = plan.query(f"SELECT {SUMS} FROM {daily} AS t")
    different = f"SELECT DISTINCT agent, session_id FROM {events}"
    (counted,) = plan.query(f"SELECT COUNT(*) AS session_count FROM ({different}) AS different")
    return added | counted


def costs(plan: QueryPlan, filters: UsageFilters) -> dict[str, Any]:
    """Return the sessions that began in the range, tokens by kind, the cost trend, and models without a price."""
    sessions = plan.fork()
    table = sessions_of(sessions, filters)
    columns = tuple(name for name in plan.definitions.models["usage_session"].columns)
    found = page(sessions, table, columns, filters, keys=("agent", "session_id"))
    (totals,) = sessions.query(f"SELECT COUNT(*) AS session_count, {SUMS} FROM {table} AS t")
    apply_filters(plan, filters)
    kinds = ", ".join(f"CAST(SUM(t.{kind}) AS BIGINT) AS {kind}" for kind in _KINDS)
    daily = plan.table("usage_daily")
    return found.answer(sessions) | {
        "totals": totals,
        "token_composition": plan.query(f"SELECT day, {kinds} FROM {daily} AS t GROUP BY day ORDER BY day"),
        "trend": _trend(plan.fork(), filters),
        "unpriced": _unpriced(plan),
    }


def sessions_of(plan: QueryPlan, filters: UsageFilters) -> str:
    """Return the CTE of sessions that began in the range. Filters by provider or model select responses in them."""
    zone = ZoneInfo(filters.tz or plan.definitions.reporting_time_zone)
    began = Sql("first_at >= ? AND first_at < ?", (beginning(filters.from_, zone), beginning(filters.to, zone, days=1)))
    whose = [in_("project", filters.project), _of_repositories(plan, filters), _of_people(plan, filters)]
    where = and_(began, *whose, in_("LOWER(agent)", filters.agent))
    if filters.provider or filters.model:
        of_models = and_(in_("LOWER(provider)", filters.provider), in_("LOWER(model)", filters.model))
        plan.given["usage_events"] = _selected(plan.stored("usage_events"), of_models)
        table = plan.without_mart("usage_session").table("usage_session")
    else:
        table = plan.table("usage_session")
    return plan.add("sessions", _selected(table, where))


def _trend(plan: QueryPlan, filters: UsageFilters) -> dict[str, Any]:
    """Compare the last seven days with the seven before."""
    last = filters.to or date.max
    first = last - timedelta(days=6)
    apply_filters(plan, filters.model_copy(update={"from_": first - timedelta(days=7)}))
    daily = plan.table("usage_daily")
    weeks = []
    for start in (first, first - timedelta(days=7)):
        text = f"SELECT {SUMS} FROM {daily} AS t WHERE t.day BETWEEN ? AND ?"
        (added,) = plan.query(text, [start, start + timedelta(days=6)])
        weeks.append(added | {"from": start, "to": start + timedelta(days=6)})
    current, prior = weeks
    change = (
        current["cost_usd"] / prior["cost_usd"] - 1 if current["cost_usd"] is not None and prior["cost_usd"] else None
    )
    return {"current": current, "prior": prior, "cost_change": change}


def _unpriced(plan: QueryPlan) -> list[dict[str, Any]]:
    events = plan.table("usage_events")
    return plan.query(unpriced.query(events, plan.snapshot.columns["usage_events"], _MAX_UNPRICED))


def apply_filters(plan: QueryPlan, filters: UsageFilters) -> None:
    """Apply the filters to usage_events, and to usage_daily where its days are of the requested zone."""
    days = Sql("day BETWEEN ? AND ?", (filters.from_, filters.to)) if filters.to else None
    where = and_(
        days,
        in_("project", filters.project),
        _of_repositories(plan, filters),
        _of_people(plan, filters),
        in_("LOWER(agent)", filters.agent),
        in_("LOWER(provider)", filters.provider),
        in_("LOWER(model)", filters.model),
    )
    events = plan.stored("usage_events")
    if filters.tz in (None, plan.definitions.reporting_time_zone):
        plan.given["usage_events"] = _selected(events, where)
        if plan.is_there("usage_daily"):
            plan.given["usage_daily"] = _selected(plan.stored("usage_daily"), where)
        return
    zoned = _in_zone(plan, filters, events)
    plan.given["usage_events"] = Sql(
        f"SELECT * FROM ({zoned.text}) AS zoned WHERE {where.text}", zoned.values + where.values
    )
    plan.without_mart("usage_daily")


def _in_zone(plan: QueryPlan, filters: UsageFilters, events: str) -> Sql:
    """Return the events with the days of another zone.

    The range in UTC only limits what is read. It is a day wider, as engine and Python may have different zone rules.
    """
    clock = plan.dialect.clock.format(instant="occurred_at")
    columns = plan.definitions.models["usage_events"].columns
    named = ", ".join(f"CAST({clock} AS DATE) AS day" if name == "day" else name for name in columns)
    values: tuple[object, ...] = (filters.tz,)
    text = f"SELECT {named} FROM {events}"
    if filters.to:
        text += " WHERE occurred_at >= ? AND occurred_at < ?"
        zone = ZoneInfo(filters.tz or "UTC")
        values += (beginning(filters.from_, zone, days=-1), beginning(filters.to, zone, days=2))
    return Sql(text, values)


def _selected(table: str, where: Sql) -> Sql:
    return Sql(f"SELECT * FROM {table} WHERE {where.text}", where.values)


def _of_repositories(plan: QueryPlan, filters: UsageFilters) -> Sql | None:
    found = in_("repo_name", filters.repo)
    return found and Sql(
        f"{_PLACE} IN (SELECT {_PLACE} FROM {plan.stored('project_repositories')} WHERE {found.text})", found.values
    )


def _of_people(plan: QueryPlan, filters: UsageFilters) -> Sql | None:
    """Return the condition on the user of an event. A person is the developer of a user, else the user."""
    if not (filters.developer or filters.person):
        return None
    whose = and_(in_("developer", filters.developer), in_("COALESCE(developer, user_id)", filters.person))
    users = plan.stored("user_developers")
    return Sql(f"user_id IN (SELECT user_id FROM {users} WHERE {whose.text})", whose.values)


def beginning(day: date | None, zone: ZoneInfo, days: int = 0) -> datetime:
    """Return the instant when a day begins, in UTC and without a zone, as the warehouse stores instants."""
    begins = datetime.combine((day or date.min) + timedelta(days=days), time(), zone)
    return begins.astimezone(UTC).replace(tzinfo=None)
