with pull_requests as (
    select * from {{ ref('int_pull_requests_united') }}
),

authors as (
    select * from {{ ref('int_authors_resolved') }}
),

commits as (
    select * from {{ ref('int_commits_united') }}
),

reviews as (
    select * from {{ ref('int_reviews_counted') }}
),

judged as (
    select * from {{ ref('int_github_pull_requests_judged') }}
),

readied as (
    select * from {{ ref('int_github_pull_requests_readied') }}
),

final as (
    select
        pull_requests.source,
        pull_requests.account,
        pull_requests.pull_request_key,
        pull_requests.repo_name,
        pull_requests.number,
        pull_requests.pull_request_id,
        pull_requests.state,
        pull_requests.title,
        pull_requests.head_branch,
        authors.author_id,
        authors.author_email,
        authors.developer,
        authors.author_kind,
        authors.is_bot,
        coalesce(pull_requests.was_reverted, judged.is_reverted) as is_reverted,
        judged.revert_how,
        coalesce(pull_requests.is_bug_fix, judged.is_bug_fix) as is_bug_fix,
        commits.ai_matched_role,

        pull_requests.additions,
        pull_requests.deletions,
        pull_requests.changed_files as files_changed,
        pull_requests.ai_ratio as source_ai_ratio,
        case
            when pull_requests.has_commit_ids then coalesce(commits.commit_id_count, 0)
            else pull_requests.commit_count
        end as commit_count,
        coalesce(
            pull_requests.tab_lines + pull_requests.composer_lines, commits.ai_lines_added
        ) as ai_lines_added,
        commits.ai_matched_commit_count,
        commits.ai_matchable_commits,
        commits.ai_matched_commit_share,
        coalesce(reviews.review_count, 0) as review_count,
        coalesce(reviews.approval_count, 0) as approval_count,
        coalesce(reviews.changes_requested_count, 0) as changes_requested_count,
        coalesce(reviews.reviewer_count, pull_requests.listed_reviewer_count, 0) as reviewer_count,
        coalesce(reviews.comment_count, 0) as comment_count,
        coalesce(reviews.review_after_merge, 0) as review_after_merge,

        pull_requests.created_at,
        readied.ready_at,
        coalesce(pull_requests.first_commit_at, commits.first_commit_at) as first_commit_at,
        coalesce(pull_requests.first_review_at, reviews.first_review_at) as first_review_at,
        reviews.first_human_review_at,
        pull_requests.merged_at,
        pull_requests.as_of
    from pull_requests
    left join authors
        on
            pull_requests.source = authors.source
            and pull_requests.account = authors.account
            and pull_requests.pull_request_key = authors.pull_request_key
    left join commits
        on
            pull_requests.source = commits.source
            and pull_requests.account = commits.account
            and pull_requests.pull_request_key = commits.pull_request_key
    left join reviews
        on
            pull_requests.source = reviews.source
            and pull_requests.account = reviews.account
            and pull_requests.pull_request_key = reviews.pull_request_key
    left join judged
        on
            pull_requests.source = judged.source
            and pull_requests.account = judged.account
            and pull_requests.pull_request_key = judged.pull_request_key
    left join readied
        on
            pull_requests.source = readied.source
            and pull_requests.account = readied.account
            and pull_requests.pull_request_key = readied.pull_request_key
)

select * from final
