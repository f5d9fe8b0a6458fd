with pull_requests as (
    select * from {{ ref('merged_pull_requests') }}
),

summed as (
    select
        week,
        repo_name,
        count(distinct developer) as active_developers,
        count(*) as total_prs,
        sum(commit_count) as total_commits,
        sum(total_loc) as total_loc,
        count(total_loc) as n_pr_size,
        sum(additions) as lines_added,
        sum(ai_lines_added) as ai_lines_added,
        {{ n_and_sum('files_changed') }},
        {{ n_and_sum('ai_ratio') }},
        {%- for time in time_columns() %}
            {{ n_and_sum(time) }},
        {%- endfor %}
        percentile_cont(0.5) within group (order by cycle_time_hours) as p50_cycle_time_hours,
        percentile_cont(0.9) within group (order by cycle_time_hours) as p90_cycle_time_hours
    from pull_requests
    group by week, repo_name
),

final as (
    select
        cast(week as date) as week,
        cast(repo_name as varchar) as repo_name,
        cast(active_developers as bigint) as active_developers,
        cast(total_prs as bigint) as total_prs,
        cast(total_commits as bigint) as total_commits,
        cast(total_loc as bigint) as total_loc,
        cast({{ ratio('total_loc', 'n_pr_size') }} as double) as avg_pr_size,
        cast(n_pr_size as bigint) as n_pr_size,
        {{ avg_n_sum('files_changed', 'bigint') }},
        {%- for time in time_columns() %}
            {{ avg_n_sum(time) }},
        {%- endfor %}
        cast(p50_cycle_time_hours as double) as p50_cycle_time_hours,
        cast(p90_cycle_time_hours as double) as p90_cycle_time_hours,
        {{ avg_n_sum('ai_ratio') }},
        cast(lines_added as bigint) as lines_added,
        cast(ai_lines_added as bigint) as ai_lines_added,
        cast({{ ratio('ai_lines_added', 'lines_added') }} as double) as ai_line_share
    from summed
)

select * from final
