# ruff: noqa: S608 - the names are this project's own
"""The responses of unknown cost, by the full key for which no source has a price, and what is missing of it.

The mart usage_events looks prices up by this key: model, speed (else standard), region, day, and the
`context_over_tokens` of the price that matched. If none matched, it is 0: a price for prompts of any length.
"""

from collections.abc import Container

_ADDED = {"region": "varchar", "price_gap": "varchar", "context_over_tokens": "bigint"}
"""The columns of usage_events that marts built by an earlier version do not have."""

_GAPS = {
    "no_model": "the log names no model",
    "no_tokens": "the log has no counts of tokens",
    "model": "no price of this model",
    "speed": "the model has no price at this speed",
    "region": "the model has no price in this region",
    "day": "the model has no price on that day",
    "context": "the model has no price for prompts of this length",
    "rate": "the price has no rate for a kind that was used",
}


def columns_of(marts: str, table: str = "usage_events") -> str:
    """Return the query for the columns of a table, in lower case, in a schema."""
    return f"""
    SELECT lower(column_name) AS name FROM information_schema.columns
    WHERE table_catalog = current_database() AND lower(table_schema) = '{marts.lower()}'
        AND lower(table_name) = '{table}'"""


def query(events: str, columns: Container[str], most: int) -> str:
    """Return the query over `events`, which have `columns`: the keys with the most tokens first, at most `most`.

    `region`, `context` and `gap` are NULL where the events are of marts that do not have them yet.
    """
    region, gap, context = (name if name in columns else f"cast(NULL AS {kind})" for name, kind in _ADDED.items())
    length = f"coalesce({context}, 0)" if "context_over_tokens" in columns else context
    return f"""
    SELECT agent, provider, model, speed, region, context, gap, count(*) AS responses,
        cast(sum(tokens) AS bigint) AS total_tokens, min(day) AS first_day, max(day) AS last_day
    FROM (
        SELECT agent, provider, model, coalesce(speed, 'standard') AS speed, {region} AS region, {length} AS context,
            {gap} AS gap, day, total_tokens AS tokens
        FROM {events} WHERE cost_source = 'unknown'
    ) AS unpriced
    GROUP BY agent, provider, model, speed, region, context, gap
    ORDER BY total_tokens DESC NULLS LAST, agent, provider, model, speed, region, context, gap LIMIT {most}"""


def name(
    agent: str,
    provider: str | None,
    model: str | None,
    speed: str,
    region: str | None,
    context: int | None,
    gap: str | None,
) -> str:
    """Return the key as readable text, with what is missing."""
    where = f", region {region}" if region else ""
    over = f", prompts of more than {context:,} tokens" if context else ""
    missing = f" ({_GAPS.get(gap, gap)})" if gap else ""
    return f"{agent} {provider or 'no provider'} {model or 'no model'}, speed {speed}{where}{over}{missing}"
