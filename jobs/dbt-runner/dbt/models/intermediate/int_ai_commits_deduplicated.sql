with commits as (
    select * from {{ ref('stg_commits') }}
),

summed as (
    select
        repo_name,
        commit_hash,
        commit_ts,
        created_at,
        tab_lines_added + composer_lines_added as ai_lines_added,
        min(commit_ts) over (partition by repo_name, commit_hash) as first_commit_at
    from commits
),

ranked as (
    select
        *,
        row_number() over (
            partition by repo_name, commit_hash
            order by
                case when ai_lines_added is null then 1 else 0 end,
                created_at desc nulls last,
                ai_lines_added desc nulls last
        ) as place
    from summed
),

final as (
    select
        repo_name,
        commit_hash,
        ai_lines_added,
        first_commit_at,
        created_at as reported_at
    from ranked
    where place = 1
)

select * from final
