# ruff: noqa: S608 - the names are our own, and values are bound
"""What is behind the sums: models by their name in the rate card, sessions, and merged pull requests."""

from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

from millrace.api import usage
from millrace.api.answers import PullRequest, SourceWindow
from millrace.api.filters import ListFilters, SourceFilters
from millrace.api.lists import merged_on_days
from millrace.api.paging import PageOfRows, page
from millrace.api.plans import QueryPlan, Sql, and_, in_

_PULL_REQUEST = ("repo_name", "number", "source", "account", "pull_request_key")
_SAME = "t.provider IS NOT DISTINCT FROM n.provider AND t.model IS NOT DISTINCT FROM n.model"


def models(plan: QueryPlan, filters: ListFilters) -> dict[str, Any]:
    """List models with their usage and its cost. Ids of one model that differ by their date are one model."""
    usage.apply_filters(plan, filters)
    daily, events = plan.table("usage_daily"), plan.table("usage_events")
    # If any response of an id has a price, all responses of that id are of the model with this price.
    text = f"""SELECT t.provider, t.model, COALESCE(MAX(t.price_model), t.model) AS name FROM {events} AS t
        WHERE t.role = 'assistant' GROUP BY t.provider, t.model"""
    names = plan.add("model_names", Sql(text))
    ids = defaultdict(list)
    for row in plan.query(f"SELECT provider, name, model FROM {names}"):
        ids[row["name"], row["provider"]].append(row["model"])
    found = plan.query(f"""SELECT n.name AS model, t.provider, {usage.SUMS} FROM {daily} AS t
        LEFT JOIN {names} AS n ON {_SAME} GROUP BY n.name, t.provider HAVING SUM(t.assistant_message_count) > 0""")
    sessions = f"""SELECT DISTINCT n.name, t.provider, t.agent, t.session_id FROM {events} AS t
        LEFT JOIN {names} AS n ON {_SAME} WHERE t.role = 'assistant'"""
    text = f"SELECT name, provider, COUNT(*) AS session_count FROM ({sessions}) AS s GROUP BY name, provider"
    counted = {(row["name"], row["provider"]): row["session_count"] for row in plan.query(text)}
    for row in found:
        key = row["model"], row["provider"]
        row["model_ids"] = ", ".join(sorted(each for each in ids[key] if each is not None)) or None
        row["session_count"] = counted.get(key, 0)
    return PageOfRows.sort(found, plan, filters, ("model", "provider")).answer(plan) | {"totals": usage.whole(plan)}


def sessions(plan: QueryPlan, filters: ListFilters) -> dict[str, Any]:
    """List the sessions that began in the range, with their person and repository."""
    table = usage.sessions_of(plan, filters)
    columns = tuple(plan.definitions.models["usage_session"].columns)
    named = ", ".join(f"t.{name}" for name in columns)
    whose = plan.add(
        "whose_sessions",
        Sql(f"""SELECT {named}, COALESCE(u.developer, t.user_id) AS person, u.developer, r.repo_name
            FROM {table} AS t LEFT JOIN {plan.stored("user_developers")} AS u ON t.user_id = u.user_id
            LEFT JOIN {plan.stored("project_repositories")} AS r ON {usage.SAME_PLACE}"""),
    )
    found = page(plan, whose, ("person", "developer", "repo_name", *columns), filters, ("agent", "session_id"))
    (totals,) = plan.query(f"SELECT COUNT(*) AS session_count, {usage.SUMS} FROM {table} AS t")
    return found.answer(plan) | {"totals": totals}


def pull_requests(plan: QueryPlan, filters: ListFilters) -> dict[str, Any]:
    """List the pull requests that were merged in the range."""
    table = plan.add("merged", merged_on_days(plan, filters))
    return page(plan, table, tuple(PullRequest.model_fields), filters, _PULL_REQUEST).answer(plan)


def sources(plan: QueryPlan, filters: SourceFilters) -> dict[str, Any]:
    """List the parts of the sources, such as the pull requests of a repository, with what is known and missing."""
    zone = ZoneInfo(filters.tz or plan.definitions.reporting_time_zone)
    where = and_(
        Sql("read_at >= ?", (usage.beginning(filters.from_, zone),)) if filters.from_ else None,
        Sql("read_at < ?", (usage.beginning(filters.to, zone, days=1),)) if filters.to else None,
        in_("state", filters.state),
    )
    text = f"SELECT * FROM {plan.stored('source_completeness')} WHERE {where.text}"
    table = plan.add("parts_of_sources", Sql(text, where.values))
    keys = ("source", "account", "object", "window_id")
    return page(plan, table, tuple(SourceWindow.model_fields), filters, keys).answer(plan)
