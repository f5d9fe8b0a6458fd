with usage_matched as (
    select * from {{ ref('int_usage_matched') }}
),

summed as (
    select
        week,
        source,
        matched_by,
        repository_gap,
        developer_gap,
        sum(assistant_message_count) as assistant_message_count,
        sum(user_message_count) as user_message_count,
        sum(total_tokens) as total_tokens,
        sum(lower_bound_count) as lower_bound_count,
        sum(n_cost) as n_cost,
        {{ known_cost() }} as cost_usd
    from usage_matched
    group by week, source, matched_by, repository_gap, developer_gap
),

final as (
    select
        cast(week as date) as week,
        cast(source as varchar) as source,
        cast(matched_by as varchar) as matched_by,
        cast(repository_gap as varchar) as repository_gap,
        cast(developer_gap as varchar) as developer_gap,
        cast(assistant_message_count as bigint) as assistant_message_count,
        cast(user_message_count as bigint) as user_message_count,
        cast(total_tokens as bigint) as total_tokens,
        cast(lower_bound_count as bigint) as lower_bound_count,
        cast(n_cost as bigint) as n_cost,
        cast(cost_usd as {{ money() }}) as cost_usd
    from summed
)

select * from final
