with pull_requests as (
    select * from {{ ref('merged_pull_requests') }}
),

summed as (
    select
        source,
        account,
        week,
        repo_name,
        ai_band,
        count(*) as pr_count,
        sum(comment_count) as comment_count,
        sum(total_loc) as total_loc,
        count(total_loc) as n_pr_size,
        sum(review_rounds) as sum_review_rounds,
        {{ count_where('is_reverted') }} as reverted_prs,
        count(is_reverted) as n_revert_known,
        {{ count_where('is_bug_fix') }} as bug_fix_prs,
        count(is_bug_fix) as n_bug_fix_known,
        {{ count_where('is_likely_bug_fix') }} as likely_bug_fix_prs,
        {{ n_and_sum('files_changed') }},
        {{ n_and_sum('ai_ratio') }},
        {{ count_where('has_ai_lines_over_additions') }} as n_ai_lines_over_additions,
        {%- for time in time_columns() %}
            {{ n_sum_negative(time) }},
        {%- endfor %}
        percentile_cont(0.5) within group (order by cycle_time_hours) as p50_cycle_time_hours,
        percentile_cont(0.9) within group (order by cycle_time_hours) as p90_cycle_time_hours
    from pull_requests
    group by source, account, week, repo_name, ai_band
),

final as (
    select
        cast(source as varchar) as source,
        cast(account as varchar) as account,
        cast(week as date) as week,
        cast(repo_name as varchar) as repo_name,
        cast(ai_band as varchar) as ai_band,
        cast(pr_count as bigint) as pr_count,
        {{ avg_n_sum('ai_ratio') }},
        cast(n_ai_lines_over_additions as bigint) as n_ai_lines_over_additions,
        {%- for time in time_columns() %}
            {{ avg_n_sum_negative(time) }},
        {%- endfor %}
        cast(p50_cycle_time_hours as double) as p50_cycle_time_hours,
        cast(p90_cycle_time_hours as double) as p90_cycle_time_hours,
        cast(comment_count as bigint) as comment_count,
        cast(total_loc as bigint) as total_loc,
        cast({{ ratio('100 * comment_count', 'total_loc') }} as double) as comments_per_100_loc,
        cast({{ ratio('sum_review_rounds', 'pr_count') }} as double) as avg_review_rounds,
        cast(sum_review_rounds as bigint) as sum_review_rounds,
        cast(reverted_prs as bigint) as reverted_prs,
        cast(n_revert_known as bigint) as n_revert_known,
        cast({{ ratio('reverted_prs', 'n_revert_known') }} as double) as revert_rate,
        cast(bug_fix_prs as bigint) as bug_fix_prs,
        cast(n_bug_fix_known as bigint) as n_bug_fix_known,
        cast({{ ratio('bug_fix_prs', 'n_bug_fix_known') }} as double) as bug_fix_rate,
        cast(likely_bug_fix_prs as bigint) as likely_bug_fix_prs,
        cast({{ ratio('likely_bug_fix_prs', 'pr_count') }} as double) as likely_bug_fix_rate,
        cast({{ ratio('total_loc', 'n_pr_size') }} as double) as avg_pr_size,
        cast(n_pr_size as bigint) as n_pr_size,
        {{ avg_n_sum('files_changed', 'bigint') }}
    from summed
)

select * from final
