"""Each rule of counting is needed: without it, a named case of the corpus gives something else."""

from typing import Any

import pytest
from tests.usage.corpus import CASES, collect

from millrace.usage import claude, event, fields

BY_NAME = {str(case): case for case in CASES}


def skipped_zero(record: Any, name: str) -> int:
    return record.get(name) or 0


def keep_first(one: Any, other: Any) -> Any:
    return one


# What is replaced, by what, and which case notices.
RULES: dict[str, tuple[Any, str, object, str]] = {
    "the maximum of a response's lines counts": (
        event, "merge_tokens", keep_first, "claude/a_response_in_three_lines_is_one_event"),
    "each field has its own maximum": (
        event, "merge_tokens", lambda one, other: max(one, other, key=lambda tokens: tokens.total_tokens),
        "claude/each_field_has_its_own_maximum"),
    "the earlier event says where it belongs": (
        event, "merge", lambda one, other: other, "claude/a_resumed_session_copies_history"),
    "a response has one key in all files": (
        event.UsageEvent, "key", property(lambda self: (self.session_id, self.message_id, self.request_id)),
        "claude/a_resumed_session_copies_history"),
    "the request id is part of the key": (
        event.UsageEvent, "key", property(lambda self: (self.agent, self.message_id, None)),
        "claude/one_message_id_in_two_requests"),
    "an unknown count is not zero": (
        claude, "read_count", skipped_zero, "claude/a_missing_count_is_unknown"),
    "writes of an hour are kept apart": (
        claude, "_tokens", lambda usage: event.Tokens(
            fields.read_count(usage, "input_tokens"), fields.read_count(usage, "output_tokens"),
            fields.read_count(usage, "cache_read_input_tokens"),
            fields.read_count(usage, "cache_creation_input_tokens")),
        "claude/cache_writes_of_one_hour"),
    "writes that get a lifetime are the same writes": (
        event, "merge_tokens", lambda one, other: event.Tokens(
            *(max(getattr(one, name) or 0, getattr(other, name) or 0) for name in event.Tokens.__slots__[:5])),
        "claude/lifetimes_come_with_the_last_line"),
    "what an agent makes up is no response": (claude, "_SYNTHETIC", "", "claude/a_synthetic_message_is_no_response"),
    "prompts are typed by a user": (claude, "_is_typed", lambda record, message: True,
                                    "claude/a_tools_result_is_no_prompt"),
    "prompts are kept": (claude, "_is_typed", lambda record, message: False,
                         "claude/a_prompt_is_an_event_that_costs_nothing"),
    "the tier is kept": (claude, "_speed", lambda usage: "standard", "claude/the_fast_tier"),
    "a project's name has no home in it": (
        claude, "project_slug", lambda cwd: cwd and cwd.strip("/").replace("/", "-"),
        "claude/a_project_below_a_home"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_case_notices_when_it_is_no_longer_true_that(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, mutant, noticed_by = RULES[rule]
    case = BY_NAME[noticed_by]
    assert collect(case).to_json() == case.expected
    monkeypatch.setattr(owner, name, mutant)
    assert collect(case).to_json() != case.expected
