with reviews as (
    select * from {{ ref('int_reviews_united') }}
),

authors as (
    select * from {{ ref('int_authors_resolved') }}
),

final as (
    select
        reviews.source,
        reviews.account,
        reviews.pull_request_key,
        reviews.review_id,
        reviews.reviewer,
        reviews.state,
        reviews.comment_count,
        reviews.submitted_at,
        reviews.merged_at,
        (
            coalesce(reviews.state <> 'pending', true)
            and coalesce(reviews.submitted_at <= reviews.as_of, false)
        ) as has_happened,
        (
            coalesce(reviews.reviewer <> authors.author_id, true)
            and coalesce(reviews.reviewer <> authors.author_email, true)
        ) as is_by_somebody_else,
        {{ is_bot('reviews.reviewer_kind', 'reviews.reviewer') }} as is_by_bot
    from reviews
    inner join authors
        on
            reviews.source = authors.source
            and reviews.account = authors.account
            and reviews.pull_request_key = authors.pull_request_key
)

select * from final
