with pull_requests as (
    select * from {{ ref('int_pull_requests_measured') }}
    where created_at <= as_of
),

reviews as (
    select * from {{ ref('int_reviews_by_people_counted') }}
),

opened as (
    select
        pull_requests.source,
        pull_requests.account,
        pull_requests.repo_name,
        {{ week_of(in_reporting_zone('pull_requests.created_at')) }} as week,
        case
            when pull_requests.opened_by_agent is not null then 'agent'
            when pull_requests.is_bot then 'bot'
            else 'person'
        end as opened_by,
        pull_requests.opened_by_agent as agent,
        pull_requests.is_merged,
        not pull_requests.is_merged
        and coalesce(lower(pull_requests.state) = 'closed', false) as is_closed_without_merge,
        case when pull_requests.is_merged then pull_requests.is_reverted end as is_reverted,
        pull_requests.assisted_by_agent,
        pull_requests.n_coauthors_known,
        pull_requests.total_loc,
        coalesce(reviews.human_review_rounds, 0) as human_review_rounds,
        coalesce(reviews.human_comment_count, 0) as human_comment_count,
        {{ hours_between('pull_requests.created_at', 'pull_requests.merged_at') }} as open_to_merge_hours,
        pull_requests.cycle_time_hours
    from pull_requests
    left join reviews
        on
            pull_requests.source = reviews.source
            and pull_requests.account = reviews.account
            and pull_requests.pull_request_key = reviews.pull_request_key
),

summed as (
    select
        source,
        account,
        week,
        repo_name,
        opened_by,
        agent,
        count(*) as opened_prs,
        {{ count_where('is_merged') }} as merged_prs,
        {{ count_where('is_closed_without_merge') }} as closed_without_merge_prs,
        {{ count_where('not is_merged and not is_closed_without_merge') }} as still_open_prs,
        {{ count_where('is_merged or is_closed_without_merge') }} as n_accepted_known,
        {{ n_and_sum('open_to_merge_hours') }},
        percentile_cont(0.5) within group (order by open_to_merge_hours) as p50_open_to_merge_hours,
        {{ n_and_sum('cycle_time_hours') }},
        percentile_cont(0.5) within group (order by cycle_time_hours) as p50_cycle_time_hours,
        sum(human_review_rounds) as sum_human_review_rounds,
        {{ count_where('human_review_rounds > 0') }} as human_reviewed_prs,
        sum(human_comment_count) as human_comment_count,
        sum(total_loc) as total_loc,
        count(total_loc) as n_pr_size,
        {{ count_where('is_reverted') }} as reverted_prs,
        count(is_reverted) as n_revert_known,
        {{ count_where('assisted_by_agent is not null') }} as assisted_prs,
        {{ count_where('n_coauthors_known > 0') }} as n_assisted_known
    from opened
    group by source, account, week, repo_name, opened_by, agent
),

final as (
    select
        cast(source as varchar) as source,
        cast(account as varchar) as account,
        cast(week as date) as week,
        cast(repo_name as varchar) as repo_name,
        cast(opened_by as varchar) as opened_by,
        cast(agent as varchar) as agent,
        cast({{ ratio('merged_prs', 'n_accepted_known') }} as double) as accepted_share,
        cast(n_accepted_known as bigint) as n_accepted_known,
        cast(opened_prs as bigint) as opened_prs,
        cast(merged_prs as bigint) as merged_prs,
        cast(closed_without_merge_prs as bigint) as closed_without_merge_prs,
        cast(still_open_prs as bigint) as still_open_prs,
        {{ avg_n_sum('open_to_merge_hours') }},
        cast(p50_open_to_merge_hours as double) as p50_open_to_merge_hours,
        {{ avg_n_sum('cycle_time_hours') }},
        cast(p50_cycle_time_hours as double) as p50_cycle_time_hours,
        cast(human_reviewed_prs as bigint) as human_reviewed_prs,
        cast(sum_human_review_rounds as bigint) as sum_human_review_rounds,
        cast({{ ratio('sum_human_review_rounds', 'opened_prs') }} as double) as avg_human_review_rounds,
        cast(human_comment_count as bigint) as human_comment_count,
        cast({{ ratio('human_comment_count', 'opened_prs') }} as double) as avg_human_comments_per_pr,
        cast(total_loc as bigint) as total_loc,
        cast({{ ratio('total_loc', 'n_pr_size') }} as double) as avg_pr_size,
        cast(n_pr_size as bigint) as n_pr_size,
        cast(reverted_prs as bigint) as reverted_prs,
        cast(n_revert_known as bigint) as n_revert_known,
        cast({{ ratio('reverted_prs', 'n_revert_known') }} as double) as revert_rate,
        cast(assisted_prs as bigint) as assisted_prs,
        cast(n_assisted_known as bigint) as n_assisted_known
    from summed
)

select * from final
