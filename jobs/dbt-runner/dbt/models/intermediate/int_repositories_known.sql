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

-- A clone keeps the name that its repository had: names that pull requests had before a rename are known.
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
        github_pull_requests.repo_name as name,
        github_repositories.repo_name,
        'github' as source,
        github_repositories.account,
        3 as name_rank,
        github_pull_requests.extracted_at
    from github_pull_requests
    inner join github_repositories
        on
            github_pull_requests.account = github_repositories.account
            and github_pull_requests.repo_id = github_repositories.repo_id
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
