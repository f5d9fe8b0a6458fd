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

known_repositories as (
    select * from {{ ref('int_repositories_known') }}
),

places as (
    select distinct
        project,
        repository
    from usage_daily
),

projects as (
    select distinct project
    from places
    where project is not null
),

repositories as (
    select distinct repository
    from places
    where repository is not null
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

-- The name of a repository today, as its source spells it. Spellings of one that no source has are one.
named as (
    select
        repositories.repository,
        coalesce(
            known_repositories.repo_name,
            min(repositories.repository) over (partition by lower(repositories.repository))
        ) as repo_name
    from repositories
    left join known_repositories on lower(repositories.repository) = known_repositories.name_key
),

-- Where nothing of a user names one, the folder may be another with the same name.
of_users as (
    select
        project,
        user_id,
        count(repository) as n_named
    from usage_daily
    where project is not null
    group by project, user_id
),

shared as (
    select project
    from of_users
    group by project
    having min(n_named) > 0
),

-- What is known of some events of a project goes for the others, if it is the same repository.
agreed as (
    select
        places.project,
        min(named.repo_name) as repo_name
    from places
    inner join shared on places.project = shared.project
    inner join named on places.repository = named.repository
    group by places.project
    having count(distinct named.repo_name) = 1
),

-- A project that matches patterns of two repositories may belong to either.
matched as (
    select
        places.project,
        places.repository,
        case
            when by_file.own_repository is not null then by_file.own_repository
            when by_file.n_repositories = 1 then by_file.repo_name
            when by_file.project is null
                then
                    coalesce(
                        named.repo_name,
                        agreed.repo_name,
                        case when by_default.n_repositories = 1 then by_default.repo_name end
                    )
        end as repo_name,
        case
            when by_file.own_repository is not null or by_file.n_repositories = 1 then 'file'
            when by_file.project is not null then null
            when named.repo_name is not null then 'remote'
            when agreed.repo_name is not null then 'project'
            when by_default.n_repositories = 1 then 'default'
        end as matched_by,
        coalesce(by_file.n_repositories, by_default.n_repositories, 0) > 1 as has_several
    from places
    left join by_file on places.project = by_file.project
    left join by_default on places.project = by_default.project
    left join named on places.repository = named.repository
    left join agreed on places.project = agreed.project
),

final as (
    select
        cast(matched.project as varchar) as project,
        cast(matched.repository as varchar) as repository,
        cast(coalesce(known_repositories.repo_name, matched.repo_name) as varchar) as repo_name,
        cast(known_repositories.source as varchar) as source,
        cast(known_repositories.account as varchar) as account,
        cast(matched.matched_by as varchar) as matched_by,
        cast(
            case
                when known_repositories.source is not null then null
                when matched.repo_name is not null then 'not_a_known_repository'
                when matched.has_several then 'several_repositories'
                when matched.project is null then 'no_folder'
                else 'no_remote'
            end as varchar
        ) as gap
    from matched
    left join known_repositories on lower(matched.repo_name) = known_repositories.name_key
)

select * from final
