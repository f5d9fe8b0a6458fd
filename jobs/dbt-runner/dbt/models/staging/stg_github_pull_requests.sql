with github_pull_requests as (
    select * from {{ source('raw', 'github_pull_requests') }}
),

final as (
    select
        cast(account as varchar) as account,
        cast(repo_id as bigint) as repo_id,
        cast(number as bigint) as number,
        cast(id as bigint) as pull_request_id,
        cast(node_id as varchar) as node_id,
        cast(repo_name as varchar) as repo_name,
        cast(title as varchar) as title,
        cast(body as varchar) as body,
        cast(state as varchar) as state,
        cast(is_draft as boolean) as is_draft,
        cast(author_id as varchar) as author_login,
        cast(author_number as bigint) as author_number,
        cast(author_kind as varchar) as author_kind,
        cast(merged_by as varchar) as merged_by,
        cast(base_branch as varchar) as base_branch,
        cast(head_branch as varchar) as head_branch,
        cast(head_sha as varchar) as head_sha,
        cast(merge_commit_sha as varchar) as merge_commit_sha,
        cast(is_cross_repository as boolean) as is_cross_repository,
        reviewers,
        labels,

        cast(additions as bigint) as additions,
        cast(deletions as bigint) as deletions,
        cast(changed_files as bigint) as changed_files,
        cast(commit_count as bigint) as commit_count,
        cast(review_count as bigint) as review_count,
        cast(event_count as bigint) as event_count,
        cast(force_push_count as bigint) as force_push_count,
        {{ instants_before_1990(['created_at', 'merged_at', 'closed_at']) }} as instants_before_1990,

        {{ happened_at('created_at') }} as created_at,
        cast(updated_at as datetime) as updated_at,
        {{ happened_at('merged_at') }} as merged_at,
        {{ happened_at('closed_at') }} as closed_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from github_pull_requests
)

select * from final
