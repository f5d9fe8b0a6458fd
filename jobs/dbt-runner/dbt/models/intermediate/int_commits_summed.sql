with pull_requests as (
    select * from {{ ref('stg_pull_requests') }}
),

commits as (
    select * from {{ ref('int_ai_commits_deduplicated') }}
),

commit_ids as (
    {{ select_unnested('pull_requests', ['repo_name', 'number'], 'commit_ids', 'commit_hash') }}
),

distinct_commit_ids as (
    select distinct
        repo_name,
        number,
        commit_hash
    from commit_ids
),

final as (
    select
        ids.repo_name,
        ids.number,
        count(distinct ids.commit_hash) as commit_id_count,
        min(commits.first_commit_at) as first_commit_at,
        sum(commits.ai_lines_added) as ai_lines_added
    from distinct_commit_ids as ids
    left join commits
        on
            ids.repo_name = commits.repo_name
            and ids.commit_hash = commits.commit_hash
    group by ids.repo_name, ids.number
)

select * from final
