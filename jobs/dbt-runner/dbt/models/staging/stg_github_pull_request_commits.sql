with github_pull_request_commits as (
    select * from {{ source('raw', 'github_pull_request_commits') }}
),

final as (
    select
        cast(account as varchar) as account,
        cast(repo_id as bigint) as repo_id,
        cast(number as bigint) as number,
        cast(sha as varchar) as commit_hash,
        cast(role as varchar) as role,
        cast(position as bigint) as position_in_branch,

        cast(pr_updated_at as datetime) as pull_request_updated_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from github_pull_request_commits
)

select * from final
