with usage_matched as (
    select * from {{ ref('int_usage_matched') }}
),

final as (
    select
        week,
        source,
        account,
        repo_name,
        developer,
        sum(assistant_message_count) as assistant_message_count,
        sum(total_tokens) as total_tokens,
        sum(lower_bound_count) as lower_bound_count,
        sum(n_cost) as n_cost,
        {{ known_cost() }} as cost_usd
    from usage_matched
    group by week, source, account, repo_name, developer
)

select * from final
