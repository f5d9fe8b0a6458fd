with reviews as (
    select
        *,
        has_happened and is_by_somebody_else as counts
    from {{ ref('int_reviews_attributed') }}
),

final as (
    select
        repo_name,
        number,
        count(*) as review_row_count,
        {{ count_where('counts') }} as review_count,
        {{ count_where("counts and state = 'approved'") }} as approval_count,
        {{ count_where("counts and state = 'changes_requested'") }} as changes_requested_count,
        count(distinct case when counts then reviewer end) as reviewer_count,
        coalesce(sum(case when counts then comment_count end), 0) as comment_count,
        min(case when counts then submitted_at end) as first_review_at
    from reviews
    group by repo_name, number
)

select * from final
