with commits as (
    select * from {{ ref('stg_commits') }}
),

identities as (
    select * from {{ ref('stg_identities') }}
),

addresses as (
    select
        'cursor-sim' as source,
        cast(null as varchar) as account,
        user_id,
        user_email,
        false as is_hidden,
        max(commit_ts) as last_used_at
    from commits
    where
        user_id <> ''
        and user_email <> ''
    group by user_id, user_email
    union all
    select
        'github' as source,
        account,
        account_name as user_id,
        email as user_email,
        lower(email) like '%@users.noreply.%' as is_hidden,
        seen_at as last_used_at
    from identities
    where
        system = 'github'
        and account_name <> ''
        and email <> ''
),

-- GitHub makes an address for who hides theirs: it is taken where no other is known.
final as (
    select
        source,
        account,
        user_id,
        user_email
    from addresses
    qualify row_number() over (
        partition by source, account, user_id
        order by is_hidden asc, last_used_at desc nulls last, user_email asc
    ) = 1
)

select * from final
