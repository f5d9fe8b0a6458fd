with usage_daily as (
    select * from {{ ref('usage_daily') }}
),

repositories as (
    select * from {{ ref('usage_repositories') }}
),

projects as (
    select distinct project
    from usage_daily
    where project is not null
),

matched as (
    select
        projects.project,
        count(distinct repositories.repo_name) as n_repositories,
        min(repositories.repo_name) as repo_name
    from projects
    left join repositories on {{ full_match('projects.project', 'repositories.project_pattern') }}
    group by projects.project
),

-- A project that matches patterns of two repositories may belong to either.
final as (
    select
        cast(project as varchar) as project,
        cast(case when n_repositories = 1 then repo_name end as varchar) as repo_name
    from matched
)

select * from final
