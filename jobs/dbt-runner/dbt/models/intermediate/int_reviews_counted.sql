with reviews as (
    select
        *,
        has_happened and is_by_somebody_else as counts
    from {{ ref('int_reviews_attributed') }}
),

final as (
    select
        source,
        account,
        pull_request_key,
        count(*) as review_row_count,
        {{ count_where('counts') }} as review_count,
        {{ count_where("counts and state = 'approved'") }} as approval_count,
        {{ count_where("counts and state = 'changes_requested'") }} as changes_requested_count,
        {{ count_where('counts and submitted_at > merged_at') }} as review_after_merge,
        count(distinct case when counts then reviewer end) as reviewer_count,
        coalesce(sum(case when counts then comment_count end), 0) as comment_count,
        min(case when counts then submitted_at end) as first_review_at,
        min(case when counts and not is_by_bot then submitted_at end) as first_human_review_at
    from reviews
    group by source, account, pull_request_key
)

select * from final
