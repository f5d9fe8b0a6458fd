with reviews as (
    select * from {{ ref('stg_reviews') }}
),

authors as (
    select * from {{ ref('int_authors_resolved') }}
),

as_of as (
    select * from {{ ref('int_as_of_determined') }}
),

attributed as (
    select
        authors.repo_name,
        authors.number,
        reviews.review_id,
        nullif(reviews.reviewer, '') as reviewer,
        lower(reviews.state) as state,
        reviews.comment_count,
        reviews.submitted_at,
        authors.author_id,
        authors.author_email,
        as_of.as_of
    from reviews
    inner join authors on reviews.pull_request_id = authors.pull_request_id
    cross join as_of
),

final as (
    select
        repo_name,
        number,
        review_id,
        reviewer,
        state,
        comment_count,
        submitted_at,
        coalesce(state <> 'pending', true) and coalesce(submitted_at <= as_of, false) as has_happened,
        (
            coalesce(reviewer <> author_id, true)
            and coalesce(reviewer <> author_email, true)
        ) as is_by_somebody_else
    from attributed
)

select * from final
