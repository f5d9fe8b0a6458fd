with usage_attributed as (
    select * from {{ ref('int_usage_attributed') }}
),

developer_velocity as (
    select * from {{ ref('developer_velocity') }}
),

-- Unknown developers may be different people: their usage and merges are not joined.
spent as (
    select * from usage_attributed
    where
        repo_name is not null
        and developer is not null
),

merged as (
    select * from developer_velocity
    where developer is not null
),

weeks_of_usage as (
    select
        week,
        sum(cost_usd) as cost_usd,
        sum(
            case when repo_name is not null and developer is not null then coalesce(cost_usd, 0) else 0 end
        ) as attributed_cost_usd
    from usage_attributed
    group by week
),

weeks_of_merges as (
    select
        developer_velocity.week,
        sum(developer_velocity.total_prs) as merged_prs,
        sum(
            case when spent.repo_name is not null then developer_velocity.total_prs else 0 end
        ) as attributed_prs
    from developer_velocity
    left join spent
        on
            developer_velocity.week = spent.week
            and developer_velocity.source = spent.source
            and developer_velocity.account = spent.account
            and developer_velocity.repo_name = spent.repo_name
            and developer_velocity.developer = spent.developer
    group by developer_velocity.week
),

keys as (
    select
        week,
        source,
        account,
        repo_name,
        developer
    from spent
    union distinct
    select
        week,
        source,
        account,
        repo_name,
        developer
    from merged
),

final as (
    select
        cast(keys.source as varchar) as source,
        cast(keys.account as varchar) as account,
        cast(keys.week as date) as week,
        cast(keys.repo_name as varchar) as repo_name,
        cast(keys.developer as varchar) as developer,
        cast(spent.assistant_message_count as bigint) as assistant_message_count,
        cast(spent.cost_usd as {{ money() }}) as cost_usd,
        cast(spent.n_cost as bigint) as n_cost,
        cast(merged.total_prs as bigint) as merged_prs,
        cast({{ ratio('spent.cost_usd', 'merged.total_prs') }} as double) as cost_per_merged_pr,
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
            and keys.developer = spent.developer
            and {{ same_key('keys', 'spent', ['source', 'account']) }}
    left join merged
        on
            keys.week = merged.week
            and keys.source = merged.source
            and keys.account = merged.account
            and keys.repo_name = merged.repo_name
            and keys.developer = merged.developer
    left join weeks_of_usage on keys.week = weeks_of_usage.week
    left join weeks_of_merges on keys.week = weeks_of_merges.week
)

select * from final
