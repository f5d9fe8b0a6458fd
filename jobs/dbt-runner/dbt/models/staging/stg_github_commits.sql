with github_commits as (
    select * from {{ source('raw', 'github_commits') }}
),

final as (
    select
        cast(account as varchar) as account,
        cast(repo_id as bigint) as repo_id,
        cast(sha as varchar) as commit_hash,
        cast(author_login as varchar) as author_login,
        cast(author_email as varchar) as author_email,
        cast(author_name as varchar) as author_name,
        cast(headline as varchar) as headline,
        co_authors,

        cast(additions as bigint) as additions,
        cast(deletions as bigint) as deletions,
        cast(parent_count as bigint) as parent_count,
        {{ instants_before_1990(['authored_at', 'committed_at']) }} as instants_before_1990,

        {{ happened_at('authored_at') }} as authored_at,
        {{ happened_at('committed_at') }} as committed_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from github_commits
)

select * from final
