with pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
    where author_login <> ''
),

-- The number of an account stays when its login is changed.
newest as (
    select
        account,
        author_kind,
        author_number,
        author_login
    from pull_requests
    where author_number is not null
    qualify row_number() over (
        partition by account, author_kind, author_number
        order by extracted_at desc nulls last, updated_at desc nulls last, author_login asc
    ) = 1
),

named as (
    select
        pull_requests.account,
        lower(pull_requests.author_login) as login_key,
        coalesce(newest.author_login, pull_requests.author_login) as login
    from pull_requests
    left join newest
        on
            pull_requests.account = newest.account
            and pull_requests.author_kind = newest.author_kind
            and pull_requests.author_number = newest.author_number
),

-- A login that two people had, one after the other, says neither.
final as (
    select
        account,
        login_key,
        min(login) as login
    from named
    group by account, login_key
    having count(distinct lower(login)) = 1
)

select * from final
