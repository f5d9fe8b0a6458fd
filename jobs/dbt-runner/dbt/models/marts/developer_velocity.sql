with pull_requests as (
    select * from {{ ref('merged_pull_requests') }}
),

summed as (
    select
        source,
        account,
        week,
        repo_name,
        developer,
        count(*) as total_prs,
        {{ count_where('is_bot') }} as bot_prs,
        count(opened_by_agent) as agent_prs,
        count(ai_lines_added) as ai_known_prs,
        sum(case when ai_lines_added is not null then additions end) as lines_added_ai_known,
        sum(ai_matched_commit_count) as ai_matched_commits,
        sum(ai_matchable_commits) as ai_matchable_commits,
        sum(ai_coauthored_commits) as ai_coauthored_commits,
        sum(n_coauthors_known) as n_coauthors_known,
        sum(commit_count) as total_commits,
        sum(total_loc) as total_loc,
        count(total_loc) as n_pr_size,
        sum(additions) as lines_added,
        sum(ai_lines_added) as ai_lines_added,
        {{ n_and_sum('files_changed') }},
        {{ n_and_sum('ai_ratio') }},
        {{ count_where('has_ai_lines_over_additions') }} as n_ai_lines_over_additions,
        {%- for time in time_columns() %}
            {{ n_sum_negative(time) }},
        {%- endfor %}
        percentile_cont(0.5) within group (order by cycle_time_hours) as p50_cycle_time_hours,
        percentile_cont(0.9) within group (order by cycle_time_hours) as p90_cycle_time_hours
    from pull_requests
    group by source, account, week, repo_name, developer
),

final as (
    select
        cast(source as varchar) as source,
        cast(account as varchar) as account,
        cast(week as date) as week,
        cast(repo_name as varchar) as repo_name,
        cast(developer as varchar) as developer,
        cast(total_prs as bigint) as total_prs,
        cast(bot_prs as bigint) as bot_prs,
        cast(agent_prs as bigint) as agent_prs,
        cast(total_commits as bigint) as total_commits,
        cast(total_loc as bigint) as total_loc,
        cast({{ ratio('total_loc', 'n_pr_size') }} as double) as avg_pr_size,
        cast(n_pr_size as bigint) as n_pr_size,
        {{ avg_n_sum('files_changed', 'bigint') }},
        {%- for time in time_columns() %}
            {{ avg_n_sum_negative(time) }},
        {%- endfor %}
        cast(p50_cycle_time_hours as double) as p50_cycle_time_hours,
        cast(p90_cycle_time_hours as double) as p90_cycle_time_hours,
        {{ avg_n_sum('ai_ratio') }},
        cast(n_ai_lines_over_additions as bigint) as n_ai_lines_over_additions,
        cast(lines_added as bigint) as lines_added,
        cast(ai_lines_added as bigint) as ai_lines_added,
        cast({{ ratio('ai_lines_added', 'lines_added') }} as double) as ai_line_share,
        cast(ai_known_prs as bigint) as ai_known_prs,
        cast(lines_added_ai_known as bigint) as lines_added_ai_known,
        cast(ai_matched_commits as bigint) as ai_matched_commits,
        cast(ai_matchable_commits as bigint) as ai_matchable_commits,
        cast(ai_coauthored_commits as bigint) as ai_coauthored_commits,
        cast(n_coauthors_known as bigint) as n_coauthors_known
    from summed
)

select * from final
