with usage_daily as (
    select * from {{ ref('usage_daily') }}
),

repositories as (
    select * from {{ ref('project_repositories') }}
),

authors as (
    select * from {{ ref('user_developers') }}
),

-- Each source has its own names of people.
named as (
    select
        usage_daily.*,
        repositories.source,
        repositories.account,
        repositories.repo_name,
        repositories.matched_by,
        repositories.gap as repository_gap,
        case
            when repositories.source = 'github' then authors.github_developer
            else authors.developer
        end as developer
    from usage_daily
    left join repositories on {{ same_key('usage_daily', 'repositories', ['project', 'repository']) }}
    left join authors on usage_daily.user_id = authors.user_id
),

explained as (
    select
        *,
        {{ week_of('day') }} as week,
        case
            when developer is not null then null
            when user_id is null then 'no_user'
            else 'no_developer'
        end as developer_gap
    from named
),

final as (
    select
        week,
        source,
        account,
        repo_name,
        developer,
        matched_by,
        repository_gap,
        developer_gap,
        sum(assistant_message_count) as assistant_message_count,
        sum(user_message_count) as user_message_count,
        sum(total_tokens) as total_tokens,
        sum(lower_bound_count) as lower_bound_count,
        sum(n_cost) as n_cost,
        {{ known_cost() }} as cost_usd
    from explained
    group by
        week,
        source,
        account,
        repo_name,
        developer,
        matched_by,
        repository_gap,
        developer_gap
)

select * from final
