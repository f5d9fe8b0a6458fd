{{ config(materialized='table') }}

with pull_requests as (
    select * from {{ ref('stg_pull_requests') }}
),

github_pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
),

github_repositories as (
    select * from {{ ref('int_github_repositories_owned') }}
),

as_of as (
    select * from {{ ref('int_as_of_determined') }}
),

united as (
    select
        as_of.source,
        as_of.account,
        {{ pull_request_key('pull_requests.repo_name', 'pull_requests.number') }} as pull_request_key,
        pull_requests.repo_name,
        pull_requests.number,
        pull_requests.pull_request_id,
        nullif(pull_requests.author_id, '') as author_id,
        nullif(pull_requests.author_email, '') as author_email,
        cast(null as varchar) as author_kind,
        pull_requests.state,
        pull_requests.title,
        pull_requests.head_branch,
        cast(null as boolean) as is_draft,
        pull_requests.was_reverted,
        pull_requests.is_bug_fix,
        pull_requests.commit_ids is not null as has_commit_ids,

        pull_requests.additions,
        pull_requests.deletions,
        pull_requests.changed_files,
        pull_requests.commit_count,
        {{ list_length('pull_requests.reviewers') }} as listed_reviewer_count,
        pull_requests.ai_ratio,
        pull_requests.tab_lines,
        pull_requests.composer_lines,

        pull_requests.created_at,
        pull_requests.first_commit_at,
        pull_requests.first_review_at,
        pull_requests.merged_at,
        as_of.as_of
    from pull_requests
    cross join as_of
    where as_of.source = 'cursor-sim'
    union all
    select
        'github' as source,
        github_pull_requests.account,
        {{ pull_request_key('github_pull_requests.repo_id', 'github_pull_requests.number') }}
            as pull_request_key,
        github_repositories.repo_name,
        github_pull_requests.number,
        github_pull_requests.pull_request_id,
        nullif(github_pull_requests.author_login, '') as author_id,
        cast(null as varchar) as author_email,
        github_pull_requests.author_kind,
        github_pull_requests.state,
        github_pull_requests.title,
        github_pull_requests.head_branch,
        github_pull_requests.is_draft,
        cast(null as boolean) as was_reverted,
        cast(null as boolean) as is_bug_fix,
        false as has_commit_ids,

        github_pull_requests.additions,
        github_pull_requests.deletions,
        github_pull_requests.changed_files,
        github_pull_requests.commit_count,
        cast(null as bigint) as listed_reviewer_count,
        cast(null as double) as ai_ratio,
        cast(null as bigint) as tab_lines,
        cast(null as bigint) as composer_lines,

        github_pull_requests.created_at,
        cast(null as datetime) as first_commit_at,
        cast(null as datetime) as first_review_at,
        github_pull_requests.merged_at,
        as_of.as_of
    from github_pull_requests
    inner join github_repositories
        on
            github_pull_requests.account = github_repositories.account
            and github_pull_requests.repo_id = github_repositories.repo_id
    left join as_of
        on
            as_of.source = 'github'
            and github_pull_requests.account = as_of.account
),

-- A source may report a merge in the future, which has not happened yet.
final as (
    select
        source,
        account,
        pull_request_key,
        repo_name,
        number,
        pull_request_id,
        author_id,
        author_email,
        author_kind,
        state,
        title,
        head_branch,
        is_draft,
        was_reverted,
        is_bug_fix,
        has_commit_ids,

        additions,
        deletions,
        changed_files,
        commit_count,
        listed_reviewer_count,
        ai_ratio,
        tab_lines,
        composer_lines,

        created_at,
        first_commit_at,
        first_review_at,
        case when merged_at <= as_of then merged_at end as merged_at,
        as_of
    from united
)

select * from final
