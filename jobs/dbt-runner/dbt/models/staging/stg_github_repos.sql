with github_repos as (
    select * from {{ source('raw', 'github_repos') }}
),

final as (
    select
        cast(account as varchar) as account,
        cast(repo_id as bigint) as repo_id,
        cast(node_id as varchar) as node_id,
        cast(full_name as varchar) as repo_name,
        cast(default_branch as varchar) as default_branch,
        cast(language as varchar) as language,
        cast(is_archived as boolean) as is_archived,
        cast(is_disabled as boolean) as is_disabled,
        cast(is_empty as boolean) as is_empty,
        cast(is_fork as boolean) as is_fork,
        cast(is_private as boolean) as is_private,

        cast(open_pull_requests_count as bigint) as open_pull_request_count,
        cast(total_pull_requests_count as bigint) as total_pull_request_count,

        cast(created_at as datetime) as created_at,
        cast(updated_at as datetime) as updated_at,
        cast(pushed_at as datetime) as pushed_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from github_repos
)

select * from final
