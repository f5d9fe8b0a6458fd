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
        case when repositories.source = 'github' then authors.github_developer else authors.developer end as developer
    from usage_daily
    left join repositories on {{ same_key('usage_daily', 'repositories', ['project', 'repository']) }}
    left join authors on usage_daily.user_id = authors.user_id
),

final as (
    select
        {{ week_of('day') }} as week,
        source,
        account,
        repo_name,
        developer,
        matched_by,
        repository_gap,
        case
            when developer is not null then null
            when user_id is null then 'no_user'
            else 'no_developer'
        end as developer_gap,
        assistant_message_count,
        user_message_count,
        total_tokens,
        lower_bound_count,
        n_cost,
        cost_usd
    from named
)

select * from final
