with usage_daily as (
    select * from {{ ref('usage_daily') }}
),

dropped as (
    select * from {{ ref('stg_project_repositories') }}
    where
        is_usable
        and repo_name is not null
),

defaults as (
    select * from {{ ref('usage_repositories') }}
),

projects as (
    select distinct project
    from usage_daily
    where project is not null
),

by_file as (
    select
        projects.project,
        max(case when not dropped.has_wildcard then dropped.repo_name end) as own_repository,
        count(distinct dropped.repo_name) as n_repositories,
        min(dropped.repo_name) as repo_name
    from projects
    inner join dropped on {{ matches_wildcard('projects.project', 'dropped.project_pattern') }}
    group by projects.project
),

by_default as (
    select
        projects.project,
        count(distinct defaults.repo_name) as n_repositories,
        min(defaults.repo_name) as repo_name
    from projects
    inner join defaults on {{ try_full_match('projects.project', 'defaults.project_pattern') }}
    group by projects.project
),

-- A project that matches patterns of two repositories may belong to either.
final as (
    select
        cast(projects.project as varchar) as project,
        cast(
            case
                when by_file.own_repository is not null then by_file.own_repository
                when by_file.n_repositories = 1 then by_file.repo_name
                when by_file.project is null and by_default.n_repositories = 1 then by_default.repo_name
            end as varchar
        ) as repo_name
    from projects
    left join by_file on projects.project = by_file.project
    left join by_default on projects.project = by_default.project
)

select * from final
