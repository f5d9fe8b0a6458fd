with pull_requests as (
    select * from {{ ref('stg_pull_requests') }}
),

commits as (
    select * from {{ ref('stg_commits') }}
),

user_emails as (
    select * from {{ ref('int_user_emails_resolved') }}
),

named as (
    select
        repo_name,
        number,
        pull_request_id,
        nullif(author_id, '') as author_id,
        nullif(author_email, '') as author_email
    from pull_requests
),

known as (
    select
        user_id as author_id,
        lower(user_email) as address
    from commits
    where
        user_id <> ''
        and user_email <> ''
    union
    select
        author_id,
        lower(author_email) as address
    from named
    where
        author_id is not null
        and author_email is not null
),

-- An address of two ids identifies neither.
owners as (
    select
        address,
        min(author_id) as author_id
    from known
    group by address
    having count(distinct author_id) = 1
),

final as (
    select
        named.repo_name,
        named.number,
        named.pull_request_id,
        named.author_id,
        coalesce(named.author_email, user_emails.user_email) as author_email,
        coalesce(named.author_id, owners.author_id, named.author_email) as developer
    from named
    left join user_emails on named.author_id = user_emails.user_id
    left join owners on lower(named.author_email) = owners.address
)

select * from final
