with reviews as (
    select * from {{ ref('int_reviews_attributed') }}
    where
        has_happened
        and is_by_somebody_else
        and not is_by_bot
),

final as (
    select
        source,
        account,
        pull_request_key,
        count(*) as human_review_count,
        {{ count_where("state = 'changes_requested'") }} + 1 as human_review_rounds,
        coalesce(sum(comment_count), 0) as human_comment_count
    from reviews
    group by source, account, pull_request_key
)

select * from final
