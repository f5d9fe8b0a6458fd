with usage_daily as (
    select * from {{ ref('usage_daily') }}
),

dropped as (
    select * from {{ ref('stg_user_developers') }}
    where is_usable
),

known_authors as (
    select * from {{ ref('usage_authors') }}
),

pull_requests as (
    select * from {{ ref('int_authors_resolved') }}
),

logins as (
    select * from {{ ref('int_github_logins_resolved') }}
),

users as (
    select
        user_id,
        lower(user_id) as address,
        {{ plain_address('user_id') }} as plain_address
    from usage_daily
    where user_id is not null
    group by user_id
),

-- People write logins in any letters, and those of before a change.
known_logins as (
    select
        login_key,
        min(login) as login
    from {{ ref('int_github_logins_known') }}
    group by login_key
    having count(distinct login) = 1
),

-- An address on pull requests of two developers identifies neither.
addresses as (
    select
        lower(author_email) as address,
        min(developer) as developer
    from pull_requests
    where
        source = 'cursor-sim'
        and author_email is not null
    group by lower(author_email)
    having count(distinct developer) = 1
),

resolved as (
    select
        users.user_id,
        coalesce(dropped.developer, known_authors.developer) as said,
        addresses.developer as of_address,
        coalesce(logins.login, {{ login_in('users.plain_address') }}) as login
    from users
    left join dropped on users.address = dropped.user_id
    left join known_authors on users.address = known_authors.user_id
    left join addresses on users.address = addresses.address
    left join logins on users.plain_address = logins.address
),

final as (
    select
        cast(resolved.user_id as varchar) as user_id,
        cast(coalesce(resolved.said, resolved.of_address, resolved.login) as varchar) as developer,
        cast(coalesce(known_logins.login, resolved.said, resolved.login) as varchar) as github_developer
    from resolved
    left join known_logins on lower(resolved.said) = known_logins.login_key
)

select * from final
