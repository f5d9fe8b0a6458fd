with repos as (
    select * from {{ ref('stg_github_repos') }}
),

pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
),

-- The names that pull requests were read under, for a repository whose own row is not loaded yet.
named_by_pull_requests as (
    select
        account,
        repo_id,
        repo_name
    from pull_requests
    qualify row_number() over (
        partition by account, repo_id
        order by extracted_at desc nulls last, updated_at desc nulls last, number desc nulls last
    ) = 1
),

known as (
    select
        coalesce(repos.account, named.account) as account,
        coalesce(repos.repo_id, named.repo_id) as repo_id,
        coalesce(
            repos.repo_name, named.repo_name, cast(coalesce(repos.repo_id, named.repo_id) as varchar)
        ) as repo_name,
        repos.created_at,
        repos.extracted_at
    from repos
    full outer join named_by_pull_requests as named
        on
            repos.account = named.account
            and repos.repo_id = named.repo_id
),

-- A repository that was transferred between two read accounts is of the one that listed it last. An equal id
-- with another time of creation is a repository of another server.
final as (
    select
        account,
        repo_id,
        repo_name,
        created_at
    from known
    qualify
        created_at is null
        or row_number() over (
            partition by repo_id, created_at
            order by extracted_at desc nulls last, account asc
        ) = 1
)

select * from final
