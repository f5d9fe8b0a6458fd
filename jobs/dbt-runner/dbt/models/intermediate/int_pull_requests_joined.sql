with pull_requests as (
    select * from {{ ref('stg_pull_requests') }}
),

authors as (
    select * from {{ ref('int_authors_resolved') }}
),

commits as (
    select * from {{ ref('int_commits_summed') }}
),

reviews as (
    select * from {{ ref('int_reviews_counted') }}
),

as_of as (
    select * from {{ ref('int_as_of_determined') }}
),

final as (
    select
        pull_requests.repo_name,
        pull_requests.number,
        pull_requests.pull_request_id,
        pull_requests.state,
        pull_requests.title,
        pull_requests.head_branch,
        authors.author_id,
        authors.author_email,
        authors.developer,
        pull_requests.was_reverted as is_reverted,
        pull_requests.is_bug_fix,

        pull_requests.additions,
        pull_requests.deletions,
        pull_requests.changed_files as files_changed,
        pull_requests.ai_ratio as source_ai_ratio,
        case
            when pull_requests.commit_ids is null then pull_requests.commit_count
            else coalesce(commits.commit_id_count, 0)
        end as commit_count,
        coalesce(
            pull_requests.tab_lines + pull_requests.composer_lines, commits.ai_lines_added
        ) as ai_lines_added,
        coalesce(reviews.review_count, 0) as review_count,
        coalesce(reviews.approval_count, 0) as approval_count,
        coalesce(reviews.changes_requested_count, 0) as changes_requested_count,
        coalesce(
            reviews.reviewer_count, {{ list_length('pull_requests.reviewers') }}, 0
        ) as reviewer_count,
        coalesce(reviews.comment_count, 0) as comment_count,

        pull_requests.created_at,
        coalesce(pull_requests.first_commit_at, commits.first_commit_at) as first_commit_at,
        coalesce(pull_requests.first_review_at, reviews.first_review_at) as first_review_at,
        case when pull_requests.merged_at <= as_of.as_of then pull_requests.merged_at end as merged_at,
        as_of.as_of
    from pull_requests
    left join authors
        on
            pull_requests.repo_name = authors.repo_name
            and pull_requests.number = authors.number
    left join commits
        on
            pull_requests.repo_name = commits.repo_name
            and pull_requests.number = commits.number
    left join reviews
        on
            pull_requests.repo_name = reviews.repo_name
            and pull_requests.number = reviews.number
    cross join as_of
)

select * from final
