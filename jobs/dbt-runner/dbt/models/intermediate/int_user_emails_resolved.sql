with commits as (
    select * from {{ ref('stg_commits') }}
),

addresses as (
    select
        user_id,
        user_email,
        max(commit_ts) as last_used_at
    from commits
    where
        user_id <> ''
        and user_email <> ''
    group by user_id, user_email
),

final as (
    select
        user_id,
        user_email
    from addresses
    qualify row_number() over (
        partition by user_id
        order by last_used_at desc nulls last, user_email asc
    ) = 1
)

select * from final
