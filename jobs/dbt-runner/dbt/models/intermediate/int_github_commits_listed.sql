{{ config(materialized='table') }}

with pull_request_commits as (
    select * from {{ ref('stg_github_pull_request_commits') }}
),

commits as (
    select * from {{ ref('stg_github_commits') }}
),

dated as (
    select
        *,
        max(pull_request_updated_at) over (
            partition by account, repo_id, number
        ) as newest_updated_at
    from pull_request_commits
),

-- A newer reading lists the branch again, but GitHub removes an old commit some time after the force push.
listed as (
    select * from dated
    where
        role = 'before_force_push'
        or newest_updated_at is null
        or pull_request_updated_at = newest_updated_at
),

final as (
    select
        'github' as source,
        listed.account,
        {{ pull_request_key('listed.repo_id', 'listed.number') }} as pull_request_key,
        listed.repo_id,
        listed.number,
        listed.commit_hash,
        listed.role,
        listed.position_in_branch,
        commits.author_login,
        commits.author_email,
        commits.headline,
        commits.co_authors,

        commits.additions,

        commits.authored_at,
        commits.committed_at
    from listed
    left join commits
        on
            listed.account = commits.account
            and listed.repo_id = commits.repo_id
            and listed.commit_hash = commits.commit_hash
)

select * from final
