{{ config(materialized='table') }}

with pull_requests as (
    select * from {{ ref('int_pull_requests_joined') }}
),

signs as (
    select * from {{ ref('int_pull_requests_signed') }}
),

bands as (
    select * from {{ ref('ai_ratio_bands') }}
),

given as (
    select
        *,
        additions + deletions as total_loc,
        {{ ratio('ai_lines_added', 'additions') }} as ai_line_ratio
    from pull_requests
),

rated as (
    select
        *,
        coalesce(source_ai_ratio, {{ within_0_and_1('ai_line_ratio') }}) as ai_ratio,
        coalesce(source_ai_ratio is null and ai_line_ratio > 1, false) as has_ai_lines_over_additions
    from given
),

final as (
    select
        rated.source,
        rated.account,
        rated.pull_request_key,
        rated.repo_name,
        rated.number,
        rated.pull_request_id,
        rated.state,
        rated.merged_at is not null as is_merged,
        {{ week_of(in_reporting_zone('rated.merged_at')) }} as week,
        rated.developer,
        rated.author_id,
        rated.author_email,
        rated.author_kind,
        rated.is_bot,
        signs.opened_by_agent,
        signs.assisted_by_agent,
        coalesce(bands.band, 'unknown') as ai_band,
        rated.ai_matched_role,
        rated.is_reverted,
        rated.revert_how,
        rated.is_bug_fix,
        coalesce(
            {{ starts_with_any('rated.head_branch', ['fix/', 'bugfix/', 'hotfix/']) }}, false
        ) or coalesce(
            {{ starts_with_any('rated.title', [
                'fix(', 'fix:', 'fix!', 'bugfix(', 'bugfix:', 'bugfix!', 'hotfix(', 'hotfix:', 'hotfix!',
            ]) }}, false
        ) as is_likely_bug_fix,
        rated.has_ai_lines_over_additions,

        rated.additions,
        rated.deletions,
        rated.total_loc,
        rated.files_changed,
        rated.commit_count,
        rated.ai_lines_added,
        rated.ai_ratio,
        rated.ai_matched_commit_count,
        rated.ai_matchable_commits,
        rated.ai_matched_commit_share,
        signs.ai_coauthored_commits,
        coalesce(signs.n_coauthors_known, 0) as n_coauthors_known,
        rated.review_count,
        rated.approval_count,
        rated.changes_requested_count,
        rated.reviewer_count,
        rated.comment_count,
        rated.review_after_merge,
        case when rated.review_count > 0 then rated.changes_requested_count + 1 else 0 end as review_rounds,
        rated.review_count * (0.25 + cast(rated.total_loc as double) / 100 / 12) as estimated_review_hours,

        rated.created_at,
        rated.ready_at,
        rated.first_commit_at,
        rated.first_review_at,
        rated.first_human_review_at,
        rated.merged_at,
        rated.as_of,
        {{ hours_between('rated.first_commit_at', 'rated.created_at') }} as coding_lead_time_hours,
        {{ hours_between('rated.created_at', 'rated.first_review_at') }} as pickup_time_hours,
        {{ hours_between('rated.first_review_at', 'rated.merged_at') }} as review_lead_time_hours,
        {{ hours_between('rated.first_commit_at', 'rated.merged_at') }} as cycle_time_hours,
        {{ hours_between('rated.ready_at', 'rated.first_review_at') }} as pickup_from_ready_hours,
        {{ hours_between('rated.created_at', 'rated.first_human_review_at') }} as pickup_human_hours
    from rated
    left join signs
        on
            rated.source = signs.source
            and rated.account = signs.account
            and rated.pull_request_key = signs.pull_request_key
    left join bands
        on
            rated.ai_ratio >= bands.lower_bound
            and (
                rated.ai_ratio < bands.upper_bound
                or (bands.is_upper_inclusive and rated.ai_ratio = bands.upper_bound)
            )
)

select * from final
