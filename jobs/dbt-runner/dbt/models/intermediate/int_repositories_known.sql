with repos as (
    select * from {{ ref('stg_repos') }}
),

pull_requests as (
    select * from {{ ref('int_pull_requests_united') }}
),

as_of as (
    select * from {{ ref('int_as_of_determined') }}
),

github_repositories as (
    select * from {{ ref('int_github_repositories_owned') }}
),

github_pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
),

github_repos as (
    select * from {{ ref('stg_github_repos') }}
),

read_under as (
    select
        account,
        repo_id,
        repo_name,
        max(extracted_at) as extracted_at
    from github_pull_requests
    group by account, repo_id, repo_name
    union all
    select
        account,
        repo_id,
        repo_name,
        extracted_at
    from github_repos
),

-- A clone keeps the name that its repository had: those that it was read under are known, also in the account
-- that it was transferred from.
former_names as (
    select
        read_under.repo_name as name,
        github_repositories.repo_name,
        github_repositories.account,
        read_under.extracted_at
    from read_under
    left join github_repos
        on
            read_under.account = github_repos.account
            and read_under.repo_id = github_repos.repo_id
    inner join github_repositories
        on
            read_under.repo_id = github_repositories.repo_id
            and (
                read_under.account = github_repositories.account
                or github_repos.created_at = github_repositories.created_at
            )
),

names as (
    select
        repo_name as name,
        repo_name,
        'github' as source,
        account,
        1 as name_rank,
        cast(null as datetime) as extracted_at
    from github_repositories
    union all
    select
        repo_name as name,
        repo_name,
        source,
        account,
        2 as name_rank,
        cast(null as datetime) as extracted_at
    from pull_requests
    union all
    select
        repos.repo_name as name,
        repos.repo_name,
        as_of.source,
        as_of.account,
        2 as name_rank,
        cast(null as datetime) as extracted_at
    from repos
    cross join as_of
    where as_of.source = 'cursor-sim'
    union all
    select
        name,
        repo_name,
        'github' as source,
        account,
        3 as name_rank,
        extracted_at
    from former_names
),

final as (
    select
        lower(name) as name_key,
        repo_name,
        source,
        account
    from names
    where name <> ''
    qualify row_number() over (
        partition by lower(name)
        order by
            name_rank asc,
            extracted_at desc nulls last,
            source asc,
            account asc,
            repo_name asc
    ) = 1
)

select * from final
