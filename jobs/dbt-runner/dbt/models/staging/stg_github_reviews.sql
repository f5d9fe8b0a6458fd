with github_reviews as (
    select * from {{ source('raw', 'github_reviews') }}
),

final as (
    select
        cast(account as varchar) as account,
        cast(repo_id as bigint) as repo_id,
        cast(number as bigint) as number,
        cast(pr_id as bigint) as pull_request_id,
        cast(id as bigint) as review_id,
        cast(reviewer as varchar) as reviewer,
        cast(reviewer_kind as varchar) as reviewer_kind,
        cast(state as varchar) as state,
        cast(commit_sha as varchar) as commit_sha,

        cast(comment_count as bigint) as comment_count,
        {{ instants_before_1990(['submitted_at']) }} as instants_before_1990,

        {{ happened_at('submitted_at') }} as submitted_at,
        cast(updated_at as datetime) as updated_at,
        cast(pr_updated_at as datetime) as pull_request_updated_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from github_reviews
)

select * from final
