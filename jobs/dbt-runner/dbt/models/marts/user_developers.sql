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
        cast(user_id as varchar) as user_id,
        cast(coalesce(said, of_address, login) as varchar) as developer,
        cast(coalesce(said, login) as varchar) as github_developer
    from resolved
)

select * from final
