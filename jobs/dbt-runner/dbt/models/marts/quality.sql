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
        {{ count_where('is_reverted') }} as reverted_prs,
        count(is_reverted) as n_revert_known,
        {{ count_where('is_bug_fix') }} as bug_fix_prs,
        count(is_bug_fix) as n_bug_fix_known,
        {{ count_where('is_likely_bug_fix') }} as likely_bug_fix_prs,
        {{ count_where('review_count = 0') }} as unreviewed_prs,
        count(case when is_reverted then total_loc end) as n_reverted_pr_size,
        sum(case when is_reverted then total_loc end) as sum_reverted_pr_size,
        count(case when not is_reverted then total_loc end) as n_kept_pr_size,
        sum(case when not is_reverted then total_loc end) as sum_kept_pr_size,
        {{ count_where("is_reverted and ai_band = 'high'") }} as high_ai_reverted_prs,
        {{ count_where("is_reverted and ai_band = 'low'") }} as low_ai_reverted_prs
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
        cast(reverted_prs as bigint) as reverted_prs,
        cast({{ ratio('reverted_prs', 'n_revert_known') }} as double) as revert_rate,
        cast(n_revert_known as bigint) as n_revert_known,
        cast(bug_fix_prs as bigint) as bug_fix_prs,
        cast({{ ratio('bug_fix_prs', 'n_bug_fix_known') }} as double) as bug_fix_rate,
        cast(n_bug_fix_known as bigint) as n_bug_fix_known,
        cast(likely_bug_fix_prs as bigint) as likely_bug_fix_prs,
        cast(unreviewed_prs as bigint) as unreviewed_prs,
        cast({{ ratio('sum_reverted_pr_size', 'n_reverted_pr_size') }} as double) as avg_reverted_pr_size,
        cast(n_reverted_pr_size as bigint) as n_reverted_pr_size,
        cast(sum_reverted_pr_size as bigint) as sum_reverted_pr_size,
        cast({{ ratio('sum_kept_pr_size', 'n_kept_pr_size') }} as double) as avg_kept_pr_size,
        cast(n_kept_pr_size as bigint) as n_kept_pr_size,
        cast(sum_kept_pr_size as bigint) as sum_kept_pr_size,
        cast(high_ai_reverted_prs as bigint) as high_ai_reverted_prs,
        cast(low_ai_reverted_prs as bigint) as low_ai_reverted_prs
    from summed
)

select * from final
