"""The tables whose rows are not extracted: they come as files under `drop/`."""

from millrace.tables.table import COUNT, FLAG, INSTANT, RATIO, TEXT, Table, columns_of

USAGE_EVENTS = Table(
    name="usage_events",
    columns=columns_of(
        collector_id=TEXT,
        user_id=TEXT,
        agent=TEXT,
        session_id=TEXT,
        message_id=TEXT,
        request_id=TEXT,
        role=TEXT,
        occurred_at=INSTANT,
        project=TEXT,
        provider=TEXT,
        model=TEXT,
        speed=TEXT,
        input_tokens=COUNT,
        output_tokens=COUNT,
        cache_read_tokens=COUNT,
        cache_write_5m_tokens=COUNT,
        cache_write_1h_tokens=COUNT,
        reasoning_tokens=COUNT,
        is_estimated=FLAG,
        reported_cost_usd=TEXT,  # a decimal number with all of its digits
        region=TEXT,
        web_searches=COUNT,
        is_lower_bound=FLAG,
        is_withdrawn=FLAG,  # this machine's logs do not make the event any more, by newer rules
        repository=TEXT,  # owner/name, of the folder's git remote
    ),
    key=("agent", "message_id", "request_id", "collector_id"),  # one event as recorded in one machine's logs
    key_may_be_null=("request_id",),
    month_of="occurred_at",
    owner="collector_id",
)

# Files that a person, or `millrace map` and `millrace prices`, drops. Their rows take precedence over dbt's seeds.
PROJECT_REPOSITORIES = Table(
    name="project_repositories",
    columns=columns_of(
        project=TEXT,  # `*` in it matches any text
        repo_name=TEXT,  # none: takes an earlier row back
    ),
    key=("project",),
    is_optional=True,
)

USER_DEVELOPERS = Table(
    name="user_developers",
    columns=columns_of(
        user_id=TEXT,
        developer=TEXT,  # none: takes an earlier row back
    ),
    key=("user_id",),
    is_optional=True,
)

USAGE_PRICES = Table(
    name="usage_prices",
    columns=columns_of(
        model=TEXT,
        speed=TEXT,
        region=TEXT,
        context_over_tokens=COUNT,
        valid_from=TEXT,  # a day
        input_usd=RATIO,  # per million tokens, and per search below; no rate at all takes an earlier row back
        output_usd=RATIO,
        cache_read_usd=RATIO,
        cache_write_5m_usd=RATIO,
        cache_write_1h_usd=RATIO,
        web_search_usd=RATIO,
        source=TEXT,
    ),
    key=("model", "speed", "region", "context_over_tokens", "valid_from"),
    key_may_be_null=("speed", "region", "context_over_tokens"),
    is_optional=True,
)
