with pull_requests as (
    select * from {{ ref('int_pull_requests_united') }}
),

commits as (
    select * from {{ ref('stg_commits') }}
),

user_emails as (
    select * from {{ ref('int_user_emails_resolved') }}
),

known_logins as (
    select * from {{ ref('int_github_logins_known') }}
),

agent_logins as (
    select distinct lower(value) as login
    from {{ ref('pull_request_agents') }}
    where sign = 'author_login'
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
    from pull_requests
    where
        source = 'cursor-sim'
        and author_id is not null
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
        pull_requests.source,
        pull_requests.account,
        pull_requests.pull_request_key,
        pull_requests.author_id,
        coalesce(pull_requests.author_email, user_emails.user_email) as author_email,
        coalesce(
            known_logins.login, pull_requests.author_id, owners.author_id, pull_requests.author_email
        ) as developer,
        pull_requests.author_kind,
        case
            when
                {{ is_bot('pull_requests.author_kind', 'pull_requests.author_id') }}
                or agent_logins.login is not null
                then true
            when coalesce(pull_requests.author_id, pull_requests.author_email) is not null then false
        end as is_bot
    from pull_requests
    left join user_emails
        on
            pull_requests.source = user_emails.source
            and (pull_requests.source = 'cursor-sim' or pull_requests.account = user_emails.account)
            and pull_requests.author_id = user_emails.user_id
    left join owners
        on
            pull_requests.source = 'cursor-sim'
            and lower(pull_requests.author_email) = owners.address
    left join known_logins
        on
            pull_requests.source = 'github'
            and pull_requests.account = known_logins.account
            and lower(pull_requests.author_id) = known_logins.login_key
    left join agent_logins on lower(pull_requests.author_id) = agent_logins.login
)

select * from final
