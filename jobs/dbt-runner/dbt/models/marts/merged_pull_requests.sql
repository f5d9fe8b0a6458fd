with pull_requests as (
    select * from {{ ref('int_pull_requests_measured') }}
    where is_merged
),

final as (
    select
        cast(source as varchar) as source,
        cast(account as varchar) as account,
        cast(pull_request_key as varchar) as pull_request_key,
        cast(repo_name as varchar) as repo_name,
        cast(number as bigint) as number,
        cast(pull_request_id as bigint) as pull_request_id,
        cast(state as varchar) as state,
        cast(week as date) as week,
        cast(developer as varchar) as developer,
        cast(author_id as varchar) as author_id,
        cast(author_email as varchar) as author_email,
        cast(author_kind as varchar) as author_kind,
        cast(is_bot as boolean) as is_bot,
        cast(opened_by_agent as varchar) as opened_by_agent,
        cast(assisted_by_agent as varchar) as assisted_by_agent,
        cast(ai_band as varchar) as ai_band,
        cast(ai_matched_role as varchar) as ai_matched_role,
        cast(is_reverted as boolean) as is_reverted,
        cast(revert_how as varchar) as revert_how,
        cast(is_bug_fix as boolean) as is_bug_fix,
        cast(is_likely_bug_fix as boolean) as is_likely_bug_fix,
        cast(has_ai_lines_over_additions as boolean) as has_ai_lines_over_additions,

        cast(additions as bigint) as additions,
        cast(deletions as bigint) as deletions,
        cast(total_loc as bigint) as total_loc,
        cast(files_changed as bigint) as files_changed,
        cast(commit_count as bigint) as commit_count,
        cast(ai_lines_added as bigint) as ai_lines_added,
        cast(ai_ratio as double) as ai_ratio,
        cast(ai_matched_commit_count as bigint) as ai_matched_commit_count,
        cast(ai_matchable_commits as bigint) as ai_matchable_commits,
        cast(ai_matched_commit_share as double) as ai_matched_commit_share,
        cast(ai_coauthored_commits as bigint) as ai_coauthored_commits,
        cast(n_coauthors_known as bigint) as n_coauthors_known,
        cast(review_count as bigint) as review_count,
        cast(approval_count as bigint) as approval_count,
        cast(changes_requested_count as bigint) as changes_requested_count,
        cast(reviewer_count as bigint) as reviewer_count,
        cast(comment_count as bigint) as comment_count,
        cast(review_after_merge as bigint) as review_after_merge,
        cast(review_rounds as bigint) as review_rounds,
        cast(estimated_review_hours as double) as estimated_review_hours,

        cast(created_at as datetime) as created_at,
        cast(ready_at as datetime) as ready_at,
        cast(first_commit_at as datetime) as first_commit_at,
        cast(first_review_at as datetime) as first_review_at,
        cast(first_human_review_at as datetime) as first_human_review_at,
        cast(merged_at as datetime) as merged_at,
        cast(coding_lead_time_hours as double) as coding_lead_time_hours,
        cast(pickup_time_hours as double) as pickup_time_hours,
        cast(review_lead_time_hours as double) as review_lead_time_hours,
        cast(cycle_time_hours as double) as cycle_time_hours,
        cast(pickup_from_ready_hours as double) as pickup_from_ready_hours,
        cast(pickup_human_hours as double) as pickup_human_hours
    from pull_requests
)

-- In the order of time, so that a query for some weeks need not read the merges of other years.
select * from final
order by merged_at, repo_name, number, source, account, pull_request_key
