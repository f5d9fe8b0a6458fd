with identities as (
    select * from {{ ref('stg_identities') }}
    where
        system = 'github'
        and account_name <> ''
),

known as (
    select * from {{ ref('int_github_logins_known') }}
),

named as (
    select
        identities.account_name,
        identities.email,
        coalesce(known.login, identities.account_name) as login
    from identities
    left join known
        on
            identities.account = known.account
            and lower(identities.account_name) = known.login_key
),

seen as (
    select
        {{ plain_address('email') }} as address,
        login
    from named
    where email <> ''
    union all
    select
        lower(account_name) || '@users.noreply.github.com' as address,
        login
    from named
    union all
    select
        login_key || '@users.noreply.github.com' as address,
        login
    from known
),

-- An address seen with two logins identifies neither.
final as (
    select
        address,
        min(login) as login
    from seen
    group by address
    having count(distinct lower(login)) = 1
)

select * from final
