with commits as (
    select * from {{ ref('int_commits_summed') }}
),

as_of as (
    select * from {{ ref('int_as_of_determined') }}
),

github_commits as (
    select * from {{ ref('int_github_commits_listed') }}
),

final as (
    select
        as_of.source,
        as_of.account,
        {{ pull_request_key('commits.repo_name', 'commits.number') }} as pull_request_key,
        commits.commit_id_count,
        commits.first_commit_at,
        commits.ai_lines_added
    from commits
    cross join as_of
    where as_of.source = 'cursor-sim'
    union all
    select
        source,
        account,
        pull_request_key,
        cast(null as bigint) as commit_id_count,
        min(authored_at) as first_commit_at,
        cast(null as bigint) as ai_lines_added
    from github_commits
    where role = 'branch'
    group by source, account, pull_request_key
)

select * from final
