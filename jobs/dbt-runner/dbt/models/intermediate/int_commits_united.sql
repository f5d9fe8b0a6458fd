{{ config(materialized='table') }}

with commits as (
    select * from {{ ref('int_commits_summed') }}
),

as_of as (
    select * from {{ ref('int_as_of_determined') }}
),

github_commits as (
    select * from {{ ref('int_github_commits_listed') }}
),

github_ai_lines as (
    select * from {{ ref('int_github_ai_lines_matched') }}
),

github_first_commits as (
    select
        source,
        account,
        pull_request_key,
        min(authored_at) as first_commit_at
    from github_commits
    where role = 'branch'
    group by source, account, pull_request_key
),

final as (
    select
        as_of.source,
        as_of.account,
        {{ pull_request_key('commits.repo_name', 'commits.number') }} as pull_request_key,
        commits.commit_id_count,
        commits.ai_lines_added,
        cast(null as varchar) as ai_matched_role,
        cast(null as bigint) as ai_matched_commit_count,
        cast(null as bigint) as ai_matchable_commits,
        cast(null as double) as ai_matched_commit_share,
        commits.first_commit_at
    from commits
    cross join as_of
    where as_of.source = 'cursor-sim'
    union all
    select
        github_ai_lines.source,
        github_ai_lines.account,
        github_ai_lines.pull_request_key,
        cast(null as bigint) as commit_id_count,
        github_ai_lines.ai_lines_added,
        github_ai_lines.ai_matched_role,
        github_ai_lines.ai_matched_commit_count,
        github_ai_lines.branch_commit_count as ai_matchable_commits,
        github_ai_lines.ai_matched_commit_share,
        github_first_commits.first_commit_at
    from github_ai_lines
    left join github_first_commits
        on
            github_ai_lines.source = github_first_commits.source
            and github_ai_lines.account = github_first_commits.account
            and github_ai_lines.pull_request_key = github_first_commits.pull_request_key
)

select * from final
