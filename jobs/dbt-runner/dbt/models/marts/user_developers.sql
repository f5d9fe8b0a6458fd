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

users as (
    select distinct user_id
    from usage_daily
    where user_id is not null
),

-- An address on pull requests of two developers identifies neither.
addresses as (
    select
        lower(author_email) as address,
        min(developer) as developer
    from pull_requests
    where author_email is not null
    group by lower(author_email)
    having count(distinct developer) = 1
),

final as (
    select
        cast(users.user_id as varchar) as user_id,
        cast(coalesce(dropped.developer, known_authors.developer, addresses.developer) as varchar) as developer
    from users
    left join dropped on lower(users.user_id) = dropped.user_id
    left join known_authors on lower(users.user_id) = known_authors.user_id
    left join addresses on lower(users.user_id) = addresses.address
)

select * from final
