with pull_requests as (
    select * from {{ ref('int_pull_requests_united') }}
),

reviews as (
    select * from {{ ref('stg_reviews') }}
),

github_reviews as (
    select * from {{ ref('stg_github_reviews') }}
),

dated as (
    select
        *,
        max(pull_request_updated_at) over (
            partition by account, repo_id, number
        ) as newest_updated_at
    from github_reviews
),

-- Each reading of a pull request lists all of its reviews: a row that the newest one lacks is gone.
listed as (
    select
        account,
        {{ pull_request_key('repo_id', 'number') }} as pull_request_key,
        review_id,
        reviewer,
        reviewer_kind,
        state,
        comment_count,
        submitted_at
    from dated
    where
        newest_updated_at is null
        or pull_request_updated_at = newest_updated_at
),

final as (
    select
        pull_requests.source,
        pull_requests.account,
        pull_requests.pull_request_key,
        reviews.review_id,
        nullif(reviews.reviewer, '') as reviewer,
        cast(null as varchar) as reviewer_kind,
        lower(reviews.state) as state,
        reviews.comment_count,
        reviews.submitted_at,
        pull_requests.merged_at,
        pull_requests.as_of
    from reviews
    inner join pull_requests
        on
            pull_requests.source = 'cursor-sim'
            and reviews.pull_request_id = pull_requests.pull_request_id
    union all
    select
        pull_requests.source,
        pull_requests.account,
        pull_requests.pull_request_key,
        listed.review_id,
        nullif(listed.reviewer, '') as reviewer,
        listed.reviewer_kind,
        lower(listed.state) as state,
        listed.comment_count,
        listed.submitted_at,
        pull_requests.merged_at,
        pull_requests.as_of
    from listed
    inner join pull_requests
        on
            pull_requests.source = 'github'
            and listed.account = pull_requests.account
            and listed.pull_request_key = pull_requests.pull_request_key
)

select * from final
