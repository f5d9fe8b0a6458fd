with usage_daily as (
    select * from {{ ref('usage_daily') }}
),

repositories as (
    select * from {{ ref('project_repositories') }}
),

authors as (
    select * from {{ ref('user_developers') }}
),

attributed as (
    select
        {{ week_of('usage_daily.day') }} as week,
        repositories.repo_name,
        authors.developer,
        usage_daily.assistant_message_count,
        usage_daily.total_tokens,
        usage_daily.lower_bound_count,
        usage_daily.n_cost,
        usage_daily.cost_usd
    from usage_daily
    left join repositories on usage_daily.project = repositories.project
    left join authors on usage_daily.user_id = authors.user_id
),

final as (
    select
        week,
        repo_name,
        developer,
        sum(assistant_message_count) as assistant_message_count,
        sum(total_tokens) as total_tokens,
        sum(lower_bound_count) as lower_bound_count,
        sum(n_cost) as n_cost,
        {{ known_cost() }} as cost_usd
    from attributed
    group by week, repo_name, developer
)

select * from final
