with pull_requests as (
    select * from {{ source('raw', 'pull_requests') }}
),

newest_names as (
    select
        id as named_id,
        repo_name as newest_repo_name,
        number as newest_number
    from pull_requests
    where id is not null
    qualify row_number() over (
        partition by id
        order by _extracted_at desc nulls last, updated_at desc nulls last, repo_name asc, number asc
    ) = 1
),

-- A renamed repository's pull requests are stored under both names. One without an id is what its name says.
named as (
    select pull_requests.*
    from pull_requests
    left join newest_names on pull_requests.id = newest_names.named_id
    where
        coalesce(pull_requests.repo_name = newest_names.newest_repo_name, true)
        and coalesce(pull_requests.number = newest_names.newest_number, true)
),

final as (
    select
        cast(repo_name as varchar) as repo_name,
        cast(number as bigint) as number,
        cast(id as bigint) as pull_request_id,
        cast(author_id as varchar) as author_id,
        cast(author_email as varchar) as author_email,
        cast(author_name as varchar) as author_name,
        cast(title as varchar) as title,
        cast(body as varchar) as body,
        cast(state as varchar) as state,
        cast(base_branch as varchar) as base_branch,
        cast(head_branch as varchar) as head_branch,
        cast(was_reverted as boolean) as was_reverted,
        cast(is_bug_fix as boolean) as is_bug_fix,
        reviewers,
        labels,
        commit_ids,

        cast(additions as bigint) as additions,
        cast(deletions as bigint) as deletions,
        cast(initial_additions as bigint) as initial_additions,
        cast(changed_files as bigint) as changed_files,
        cast(commit_count as bigint) as commit_count,
        case when ai_ratio between 0 and 1 then cast(ai_ratio as double) end as ai_ratio,
        cast(case when not ai_ratio between 0 and 1 then 1 else 0 end as bigint) as ai_ratios_outside_0_and_1,
        cast(tab_lines as bigint) as tab_lines,
        cast(composer_lines as bigint) as composer_lines,
        {{ instants_before_1990([
            'created_at', 'merged_at', 'closed_at', 'first_commit_at', 'last_commit_at', 'first_review_at',
        ]) }} as instants_before_1990,

        {{ happened_at('created_at') }} as created_at,
        cast(updated_at as datetime) as updated_at,
        {{ happened_at('merged_at') }} as merged_at,
        {{ happened_at('closed_at') }} as closed_at,
        {{ happened_at('first_commit_at') }} as first_commit_at,
        {{ happened_at('last_commit_at') }} as last_commit_at,
        {{ happened_at('first_review_at') }} as first_review_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from named
)

select * from final
