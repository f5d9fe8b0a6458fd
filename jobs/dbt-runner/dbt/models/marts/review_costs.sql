with pull_requests as (
    select * from {{ ref('merged_pull_requests') }}
),

summed as (
    select
        source,
        account,
        week,
        repo_name,
        count(*) as total_prs,
        {{ count_where('review_count > 0') }} as reviewed_prs,
        sum(review_count) as review_count,
        sum(reviewer_count) as reviewer_count,
        sum(review_rounds) as sum_review_rounds,
        sum(comment_count) as comment_count,
        sum(total_loc) as total_loc,
        sum(approval_count) as approval_count,
        {{ count_where('total_loc > 500') }} as large_prs,
        {{ n_sum_negative('review_lead_time_hours') }},
        {{ n_and_sum('estimated_review_hours') }}
    from pull_requests
    group by source, account, week, repo_name
),

final as (
    select
        cast(source as varchar) as source,
        cast(account as varchar) as account,
        cast(week as date) as week,
        cast(repo_name as varchar) as repo_name,
        cast(total_prs as bigint) as total_prs,
        cast(reviewed_prs as bigint) as reviewed_prs,
        cast(total_prs - reviewed_prs as bigint) as unreviewed_prs,
        cast(review_count as bigint) as review_count,
        cast(reviewer_count as bigint) as reviewer_count,
        cast({{ ratio('reviewer_count', 'total_prs') }} as double) as avg_reviewers_per_pr,
        cast(sum_review_rounds as bigint) as sum_review_rounds,
        cast({{ ratio('sum_review_rounds', 'total_prs') }} as double) as avg_review_rounds,
        cast(comment_count as bigint) as comment_count,
        cast({{ ratio('comment_count', 'total_prs') }} as double) as avg_comments_per_pr,
        cast(total_loc as bigint) as total_loc,
        cast({{ ratio('100 * comment_count', 'total_loc') }} as double) as comments_per_100_loc,
        cast(approval_count as bigint) as approval_count,
        cast({{ ratio('approval_count', 'review_count') }} as double) as approval_rate,
        {{ avg_n_sum_negative('review_lead_time_hours') }},
        cast(large_prs as bigint) as large_prs,
        cast(sum_estimated_review_hours as double) as estimated_review_hours,
        cast({{ ratio('sum_estimated_review_hours', 'n_estimated_review_hours') }} as double)
            as estimated_review_hours_per_pr
    from summed
)

select * from final
