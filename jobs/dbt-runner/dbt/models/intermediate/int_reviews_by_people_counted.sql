with reviews as (
    select * from {{ ref('int_reviews_attributed') }}
    where
        has_happened
        and is_by_somebody_else
        and not is_by_bot
),

agents as (
    select distinct lower(value) as login from {{ ref('pull_request_agents') }}
    where sign = 'author_login'
),

final as (
    select
        reviews.source,
        reviews.account,
        reviews.pull_request_key,
        count(*) as human_review_count,
        {{ count_where("reviews.state = 'changes_requested'") }} + 1 as human_review_rounds,
        coalesce(sum(reviews.comment_count), 0) as human_comment_count
    from reviews
    left join agents on lower(reviews.reviewer) = agents.login
    where agents.login is null
    group by reviews.source, reviews.account, reviews.pull_request_key
)

select * from final
