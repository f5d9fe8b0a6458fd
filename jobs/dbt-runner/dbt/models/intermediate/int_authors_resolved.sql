with pull_requests as (
    select * from {{ ref('stg_pull_requests') }}
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

final as (
    select
        named.repo_name,
        named.number,
        named.pull_request_id,
        named.author_id,
        coalesce(named.author_email, user_emails.user_email) as author_email,
        coalesce(named.author_id, named.author_email) as developer
    from named
    left join user_emails on named.author_id = user_emails.user_id
)

select * from final
