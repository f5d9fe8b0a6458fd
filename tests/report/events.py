"""Events as the rows of a store, in any time zone and around changes of the clocks."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Tokens, UsageEvent
from millrace.collect.records import Row, to_row

ZONES = ("America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")
"""Zones with changes of the clocks by an hour and by half of one, and 5:45 hours from UTC."""
CHANGES = (
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
)
ANSWER = UsageEvent(
    agent="claude",
    session_id="S1",
    message_id="m1",
    request_id="r1",
    role="assistant",
    occurred_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    project="app",
    provider="anthropic",
    model="claude-opus-4-5",
    tokens=Tokens(100, 10, 200, 20, 2, 5),
)
PROMPT = replace(
    ANSWER, message_id="p1", request_id=None, role="user", provider=None, model=None, tokens=NO_TOKENS, cost_usd=NO_COST
)

counts = st.none() | st.integers(0, 10**6)
instants = st.builds(
    lambda change, minutes, us: change + timedelta(minutes=minutes, microseconds=us),
    st.sampled_from(CHANGES),
    st.integers(-40 * 60, 40 * 60),
    st.integers(-1, 1),
)
# The agent, the provider and the model as logs have them; the last has no price.
models = st.sampled_from(
    [
        ("claude", "anthropic", "claude-opus-4-5"),
        ("codex", "openai", "gpt-5-codex"),
        ("cline", "cline-pass", "anthropic/claude-sonnet-4.5"),
        ("claude", "bedrock", "us.anthropic.claude-opus-4-1-20250805-v1:0"),
        ("claude", None, "unsold-1"),
    ]
)


@st.composite
def responses(draw: st.DrawFn) -> UsageEvent:
    agent, provider, model = draw(models)
    return replace(
        ANSWER,
        agent=agent,
        repository=draw(st.sampled_from([None, "acme/app", "me/notes"])),
        provider=provider,
        model=draw(st.sampled_from([model, model, model, None])),
        session_id=draw(st.sampled_from(["S1", "S2"])),
        occurred_at=draw(instants),
        project=draw(st.sampled_from(["app", "web", None])),
        tokens=Tokens(*(draw(counts) for _ in range(6))),
        speed=draw(st.sampled_from([None, "standard", "fast", "batch", "flex"])),
        region=draw(st.sampled_from([None, "us", "global"])),
        web_searches=draw(st.none() | st.integers(0, 3)),
        is_estimated=draw(st.booleans()),
        is_lower_bound=draw(st.booleans()),
        cost_usd=draw(st.none() | st.decimals(0, 9, places=7)),
    )


prompts = st.builds(lambda at: replace(PROMPT, occurred_at=at), instants)
events = st.lists(responses() | prompts, max_size=30).map(
    lambda found: [replace(event, message_id=f"m{number}") for number, event in enumerate(found)]
)


def rows(found: Iterable[UsageEvent]) -> list[Row]:
    return [to_row(event) for event in found]
