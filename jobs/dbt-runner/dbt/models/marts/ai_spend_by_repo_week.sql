with usage_attributed as (
    select * from {{ ref('int_usage_attributed') }}
),

velocity as (
    select * from {{ ref('velocity') }}
),

spent as (
    select
        week,
        source,
        account,
        repo_name,
        sum(assistant_message_count) as assistant_message_count,
        sum(total_tokens) as total_tokens,
        sum(n_cost) as n_cost,
        {{ known_cost() }} as cost_usd
    from usage_attributed
    where repo_name is not null
    group by week, source, account, repo_name
),

weeks_of_usage as (
    select
        week,
        sum(cost_usd) as cost_usd,
        sum(case when repo_name is not null then coalesce(cost_usd, 0) else 0 end) as attributed_cost_usd
    from usage_attributed
    group by week
),

weeks_of_merges as (
    select
        velocity.week,
        sum(velocity.total_prs) as merged_prs,
        sum(case when spent.repo_name is not null then velocity.total_prs else 0 end) as attributed_prs
    from velocity
    left join spent
        on
            velocity.week = spent.week
            and velocity.source = spent.source
            and velocity.account = spent.account
            and velocity.repo_name = spent.repo_name
    group by velocity.week
),

keys as (
    select
        week,
        source,
        account,
        repo_name
    from spent
    union distinct
    select
        week,
        source,
        account,
        repo_name
    from velocity
),

final as (
    select
        cast(keys.source as varchar) as source,
        cast(keys.account as varchar) as account,
        cast(keys.week as date) as week,
        cast(keys.repo_name as varchar) as repo_name,
        cast(spent.assistant_message_count as bigint) as assistant_message_count,
        cast(spent.total_tokens as bigint) as total_tokens,
        cast(spent.cost_usd as {{ money() }}) as cost_usd,
        cast(spent.n_cost as bigint) as n_cost,
        cast(velocity.total_prs as bigint) as merged_prs,
        cast(velocity.lines_added as bigint) as lines_added,
        cast(velocity.ai_lines_added as bigint) as ai_lines_added,
        cast({{ ratio('spent.cost_usd', 'velocity.total_prs') }} as double) as cost_per_merged_pr,
        cast({{ ratio('spent.cost_usd', 'velocity.ai_lines_added') }} as double) as cost_per_ai_line,
        cast({{ ratio('spent.n_cost', 'spent.assistant_message_count') }} as double) as cost_known_share,
        cast(
            {{ ratio('weeks_of_usage.attributed_cost_usd', 'weeks_of_usage.cost_usd') }} as double
        ) as cost_attributed_share,
        cast(
            {{ ratio('weeks_of_merges.attributed_prs', 'weeks_of_merges.merged_prs') }} as double
        ) as pr_attributed_share
    from keys
    left join spent
        on
            keys.week = spent.week
            and keys.repo_name = spent.repo_name
            and {{ same_key('keys', 'spent', ['source', 'account']) }}
    left join velocity
        on
            keys.week = velocity.week
            and keys.source = velocity.source
            and keys.account = velocity.account
            and keys.repo_name = velocity.repo_name
    left join weeks_of_usage on keys.week = weeks_of_usage.week
    left join weeks_of_merges on keys.week = weeks_of_merges.week
)

select * from final
