"""Each rule of counting is needed: without it, a named case of the corpus has another result."""

import re
from dataclasses import replace
from typing import Any

import pytest
from tests.collect.parsers.corpus import CASES, Case, Collected, collect, within_lines

from millrace.collect.parsers import (
    claude,
    claude_prompts,
    claude_usage,
    cline,
    codex,
    codex_thread,
    cursor_bubble,
    event,
    reading,
)
from millrace.collect.parsers.fields import SkipReason, read_count

to_json, merge = reading.LogState.to_json, event.merge
BY_NAME = {str(case): case for case in CASES}


def skipped_zero(record: Any, name: str) -> int:
    return record.get(name) or 0


def keep_first(one: Any, other: Any) -> Any:
    return one


# The replaced code, its replacement, and the case that notices.
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
        "claude/messages_numbered_in_each_session_with_requests"),
    "copies of a response name other requests": (
        event, "_links", lambda one: [("request", one.request_id)], "claude/a_side_question_copies_history"),
    "message ids of gateways are used again": (
        event, "is_unique_id", lambda message_id: True, "claude/messages_numbered_in_each_session"),
    "the next line of a response has the line before as its parent": (
        claude, "_request_id", lambda record, message, message_id, state: (state, event.LINE + record["uuid"]),
        "claude/one_message_id_for_every_response"),
    "an unknown count is not zero": (
        claude_usage, "read_count", skipped_zero, "claude/a_missing_count_is_unknown"),
    "writes of an hour are kept apart": (
        claude_usage, "read_tokens", lambda usage: event.Tokens(
            read_count(usage, "input_tokens"), read_count(usage, "output_tokens"),
            read_count(usage, "cache_read_input_tokens"),
            read_count(usage, "cache_creation_input_tokens")),
        "claude/cache_writes_of_one_hour"),
    "writes that get a lifetime are the same writes": (
        event, "merge_tokens", lambda one, other: event.Tokens(
            *(max(getattr(one, name) or 0, getattr(other, name) or 0) for name in event.Tokens.__slots__[:5])),
        "claude/lifetimes_come_with_the_last_line"),
    "what an agent makes up is no response": (claude, "_SYNTHETIC", "", "claude/a_synthetic_message_is_no_response"),
    "prompts are typed by a user": (claude, "is_typed", lambda record, message: True,
                                    "claude/a_tools_result_is_no_prompt"),
    "prompts are kept": (claude, "is_typed", lambda record, message: False,
                         "claude/a_prompt_is_an_event_that_costs_nothing"),
    "the tier is kept": (claude, "read_speed", lambda usage: "standard", "claude/the_fast_tier"),
    "the region is kept": (claude, "read_region", lambda usage: None, "claude/regions"),
    "searches are kept": (claude, "read_searches", lambda usage: None, "claude/web_searches"),
    "iterations that the top leaves out are billed": (
        claude_usage, "_is_the_top", lambda iterations, usage: True, "claude/an_advisor_is_billed_on_its_own"),
    "iterations that the top contains are not billed again": (
        claude_usage, "_IN_THE_TOP", (), "claude/an_advisor_is_billed_on_its_own"),
    "the top is at least the sum of its iterations": (
        claude_usage, "merge_tokens", keep_first, "claude/the_top_has_only_the_first_iteration"),
    "a call of another model has a name of its own": (
        claude, "_asked", lambda call, response: replace(response, tokens=call.tokens),
        "claude/an_advisor_in_each_line_of_a_response"),
    "a placeholder is at least what was used": (
        claude, "is_placeholder", lambda record, message, tokens: False, "claude/only_the_placeholder_was_logged"),
    "older versions name no stop reason": (
        claude_usage, "_names_stop_reasons", lambda version: True, "claude/stop_reasons_that_older_versions_leave_out"),
    "a text needs tokens": (
        claude_usage, "_characters", lambda message: 0, "claude/stop_reasons_that_older_versions_leave_out"),
    "the end of a response is its true count": (
        event, "merge", lambda one, other: replace(
            merge(one, other), is_lower_bound=one.is_lower_bound or other.is_lower_bound),
        "claude/only_the_placeholder_was_logged"),
    "progress lines hold responses of sub-agents": (
        claude, "_progress", lambda record, state: (state, SkipReason.NO_USAGE),
        "claude/a_sub_agent_that_only_progress_lines_hold"),
    "a response is what has an answer's usage": (
        claude, "_has_usage", lambda record: False, "claude/responses_without_a_type"),
    "a command that the agent answers is no prompt": (
        claude_prompts, "_LOCAL_COMMANDS", (), "claude/local_commands_are_no_prompts"),
    "what the agent writes before a text is not of a person": (
        claude_prompts, "_CONTEXT", re.compile("(?!)()"), "claude/notices_of_the_agent_are_no_prompts"),
    "a project's name has no home in it": (
        reading, "project_slug", lambda cwd: cwd and cwd.strip("/").replace("/", "-"),
        "claude/a_project_below_a_home"),
    "the state has the model of the turn": (
        reading.LogState, "to_json", lambda state: to_json(replace(state, model=None)), "codex/a_turn_is_one_event"),
    "the state has the counters": (
        reading.LogState, "to_json",
        lambda state: to_json(replace(state, thread=state.thread and replace(state.thread, totals=None))),
        "codex/two_turns_are_the_difference_of_counters"),
    "the state has the project": (
        reading.LogState, "to_json", lambda state: to_json(replace(state, project=None)),
        "claude/a_change_of_folder_within_a_session"),
    "an incomplete line is left for later": (reading, "_complete_bytes", len, "claude/the_last_line_is_torn"),
    "growth counts, and not the last usage": (
        codex, "_is_comparable", lambda counters, thread: False, "codex/the_last_usage_is_not_what_counts"),
    "a counter that goes back began anew": (
        codex, "_is_comparable", lambda counters, thread: True, "codex/a_counter_that_begins_anew"),
    "a fork's first counter is not its own usage": (
        codex, "_is_comparable", lambda counters, thread: True, "codex/a_fork_that_goes_on_counting"),
    "a counter that stands is no event": (
        codex, "_is_standing", lambda counters, thread: False, "codex/a_counter_is_emitted_again"),
    "a counter whose response a record names is no event": (
        codex, "_is_recorded", lambda used, shown, thread: False,
        "codex/two_forks_with_equal_counters_and_other_responses"),
    "a line belongs to the thread that a line before it names": (
        codex_thread, "enter", lambda thread, thread_id: thread, "codex/two_spawned_sub_agents_with_equal_counters"),
    "copies in a fork are its parent's events": (
        codex_thread.Thread, "key_id", lambda self, session_id: session_id,
        "codex/a_fork_copies_its_parent_with_new_instants"),
    "copies of copies are the first session's": (
        codex_thread, "enter_copies", lambda thread, meta, session_id: thread, "codex/a_fork_of_a_fork"),
    "a sub-agent's parent is in its origin": (
        codex_thread, "_spawned_by", lambda origin: None, "codex/a_start_of_history_past_the_last_line"),
    "lines are a child's own from the declared start on": (
        codex_thread, "has_passed_start", lambda thread, record: False,
        "codex/a_declared_start_of_a_sub_agents_history"),
    "a counter that nothing names is not a review's": (
        codex_thread.Thread, "is_unclear", False, "codex/a_review_begins_with_a_counter_of_nobody"),
    "sessions without a common root share no event": (
        codex_thread.Thread, "key_id", lambda self, session_id: "", "codex/two_sessions_with_equal_counters"),
    "a counter that begins again is another one": (
        codex, "_position", lambda counters, resets: str(counters), "codex/equal_counters_after_a_reset"),
    "an estimate is no response": (codex, "_is_estimate", lambda shown: False, "codex/growth_without_a_last_usage"),
    "a tier's word is translated": (
        codex, "_speed", lambda record, known: record.get("service_tier"), "codex/tiers_by_their_words"),
    "what Codex writes for a user is no prompt": (
        codex, "is_prompt", lambda kind, payload: True, "codex/what_codex_says_as_a_user"),
    "reasoning is within the output": (
        codex, "_split", lambda used, usage: event.Tokens(
            used[0] - used[1], used[3] + used[4], used[1], None, None, used[4]),
        "codex/reasoning_is_a_part_of_output"),
    "what was cached is within the input": (
        codex, "_split", lambda used, usage: event.Tokens(used[0], used[3], used[1], None, None, used[4]),
        "codex/a_turn_is_one_event"),
    "what was written is within the input": (
        codex, "_split", lambda used, usage: event.Tokens(used[0] - used[1], used[3], used[1], used[2], None, used[4]),
        "codex/cache_writes_are_a_part_of_input"),
    "a bad counter is not a zero": (
        codex, "read_count", lambda usage, name: usage.get(name) if type(usage.get(name)) is int else 0,
        "codex/counters_that_are_none"),
    "an estimate is marked as one": (
        cursor_bubble, "tokens_of", lambda value: (event.Tokens(output_tokens=len(value.get("text", "")) // 4), False),
        "cursor/an_answer_without_counts_is_estimated"),
    "an answer's estimate is output": (
        cursor_bubble, "tokens_of", lambda value: (event.Tokens(input_tokens=len(value.get("text", "")) // 4), True),
        "cursor/an_answer_without_counts_is_estimated"),
    "four characters are a token, and the rest is none": (
        cursor_bubble, "_estimate", lambda length: -(-length // 4), "cursor/an_answer_without_counts_is_estimated"),
    "counts replace an estimate": (
        event, "merge", lambda one, other: replace(one, tokens=event.merge_tokens(one.tokens, other.tokens)),
        "cursor/counts_come_after_an_estimate"),
    "the model is not guessed": (
        cursor_bubble, "model_of", lambda value: "composer-1", "cursor/an_answer_of_an_unknown_model"),
    "an element is found by its instant": (
        cline, "_milliseconds", lambda instant: id(object()), "cline/a_request_is_rewritten_when_it_ends"),
    "an element that is rewritten updates its event": (
        event, "merge", keep_first, "cline/a_request_of_zeros_is_rewritten"),
    "what came in is with the cache where there is a protocol": (
        cline, "_is_with_cache", lambda info, came_in, cached: False, "roocode/input_with_the_cache_in_it"),
    "what came in is without the cache where there is no protocol": (
        cline, "_is_with_cache", lambda info, came_in, cached: cached <= came_in,
        "kilocode/input_without_a_protocol"),
    "a cache that is more than came in was not in it": (
        cline, "_is_with_cache", lambda info, came_in, cached: True, "roocode/anthropics_input_without_the_cache"),
    "what the agent says is no prompt": (
        cline, "_is_prompt", lambda say, state: True, "cline/prompts_are_events_that_cost_nothing"),
    "requests of sub-agents count": (
        cline, "_RESPONSES", ("api_req_started",), "cline/a_sub_agents_requests"),
    "deleted requests do not count twice": (
        cline, "_RESPONSES", ("api_req_started", "deleted_api_reqs"), "cline/the_sum_of_deleted_requests"),
    "a prompt costs nothing": (cline, "NO_COST", None, "cline/prompts_are_events_that_cost_nothing"),
}  # fmt: skip


def read_growing(case: Case) -> Collected:
    """Read the logs while they are written, which uses every rule."""
    return collect(case, (lambda log: [log]) if case.agent.is_document else within_lines)


@pytest.mark.parametrize("rule", RULES)
def test_a_case_notices_when_it_is_no_longer_true_that(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, mutant, noticed_by = RULES[rule]
    case = BY_NAME[noticed_by]
    assert read_growing(case).to_json() == case.expected
    monkeypatch.setattr(owner, name, mutant)
    assert read_growing(case).to_json() != case.expected
