with reviews as (
    select * from {{ ref('int_reviews_united') }}
),

authors as (
    select * from {{ ref('int_authors_resolved') }}
),

agent_logins as (
    select distinct lower(value) as login
    from {{ ref('pull_request_agents') }}
    where sign = 'author_login'
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
        (
            {{ is_bot('reviews.reviewer_kind', 'reviews.reviewer') }}
            or agent_logins.login is not null
        ) as is_by_bot
    from reviews
    inner join authors
        on
            reviews.source = authors.source
            and reviews.account = authors.account
            and reviews.pull_request_key = authors.pull_request_key
    left join agent_logins on lower(reviews.reviewer) = agent_logins.login
)

select * from final
