# ruff: noqa: S608 - the names are this project's own
"""The responses of unknown cost, by the full key for which the rate card lacks a price.

The mart usage_events joins prices by this key: provider (else the agent), model, speed (else standard), and
`context_over_tokens` of the price that matched. If none matched, it is 0: a price for prompts of any length.
"""

from collections.abc import Container

CONTEXT = "context_over_tokens"
"""The column of usage_events that marts built by an earlier version do not have."""


def columns_of(marts: str) -> str:
    """Return the query for the columns of usage_events, in lower case, in a schema of marts."""
    return f"""
    SELECT lower(column_name) AS name FROM information_schema.columns
    WHERE table_catalog = current_database() AND lower(table_schema) = '{marts.lower()}'
        AND lower(table_name) = 'usage_events'"""


def query(events: str, columns: Container[str], most: int) -> str:
    """Return the query over `events`, which have `columns`: the keys with the most tokens first, at most `most`.

    `context` is NULL where the events are of marts that do not have it yet.
    """
    context = f"coalesce({CONTEXT}, 0)" if CONTEXT in columns else "cast(NULL AS bigint)"
    return f"""
    SELECT agent, provider, model, speed, context, count(*) AS responses,
        cast(sum(tokens) AS bigint) AS total_tokens, min(day) AS first_day, max(day) AS last_day
    FROM (
        SELECT agent, provider, model, coalesce(speed, 'standard') AS speed, {context} AS context, day,
            total_tokens AS tokens
        FROM {events} WHERE cost_source = 'unknown'
    ) AS unpriced
    GROUP BY agent, provider, model, speed, context
    ORDER BY total_tokens DESC NULLS LAST, agent, provider, model, speed, context LIMIT {most}"""


def name(agent: str, provider: str | None, model: str | None, speed: str, context: int | None) -> str:
    """Return the key as readable text."""
    over = f", prompts of more than {context:,} tokens" if context else ""
    return f"{agent} {provider or 'no provider'} {model or 'no model'}, speed {speed}{over}"
