with identities as (
    select * from {{ ref('stg_identities') }}
    where
        system = 'github'
        and account_name <> ''
),

seen as (
    select
        {{ plain_address('email') }} as address,
        account_name
    from identities
    where email <> ''
    union all
    select
        lower(account_name) || '@users.noreply.github.com' as address,
        account_name
    from identities
),

-- An address seen with two logins identifies neither.
final as (
    select
        address,
        min(account_name) as login
    from seen
    group by address
    having count(distinct lower(account_name)) = 1
)

select * from final
