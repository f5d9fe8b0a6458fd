{{ config(materialized='table') }}

with pull_requests as (
    select * from {{ ref('int_pull_requests_united') }}
),

commits as (
    select * from {{ ref('int_github_commits_listed') }}
    where role = 'branch'
),

agents as (
    select * from {{ ref('pull_request_agents') }}
),

-- GitHub gives each app an address: the number of its account, + and its login.
listed as (
    select
        agent,
        sign,
        value
    from agents
    union all
    select
        agent,
        'commit_author_email' as sign,
        value || '@users.noreply.github.com' as value
    from agents
    where
        sign = 'author_login'
        and value like '%[bot]'
    union all
    select
        agent,
        'coauthor_email' as sign,
        value || '@users.noreply.github.com' as value
    from agents
    where
        sign = 'author_login'
        and value like '%[bot]'
),

-- A value is of one agent, so that a pull request stays one row.
signs as (
    select
        sign,
        lower(value) as value,
        min(agent) as agent
    from listed
    group by sign, lower(value)
),

-- GraphQL has the login of a bot without [bot], which no login of a person can have.
named as (
    select
        source,
        account,
        pull_request_key,
        lower(
            case
                when author_kind = 'bot' and author_id not like '%[bot]' then author_id || '[bot]'
                else author_id
            end
        ) as author_login,
        lower(head_branch) as head_branch
    from pull_requests
),

-- No value has a wildcard. Of two that a branch begins with, the longer one is the later one in the alphabet.
by_branch as (
    select
        named.source,
        named.account,
        named.pull_request_key,
        signs.agent
    from named
    inner join signs
        on
            signs.sign = 'head_branch_prefix'
            and named.head_branch like signs.value || '_%'
    qualify row_number() over (
        partition by named.source, named.account, named.pull_request_key
        order by signs.value desc nulls last
    ) = 1
),

commits_named as (
    select
        *,
        {{ address_of_app_or_person('author_email') }} as author_address,
        row_number() over (
            partition by source, account, pull_request_key
            order by position_in_branch, commit_hash
        ) as place
    from commits
),

by_commits as (
    select
        commits_named.source,
        commits_named.account,
        commits_named.pull_request_key,
        case
            when count(*) = count(signs.agent)
                then max(case when commits_named.place = 1 then signs.agent end)
        end as agent,
        count(commits_named.co_authors) as n_coauthors_known
    from commits_named
    left join signs
        on
            commits_named.author_address = signs.value
            and signs.sign = 'commit_author_email'
    group by commits_named.source, commits_named.account, commits_named.pull_request_key
),

trailers as (
    {{ select_unnested(
        'commits_named', ['source', 'account', 'pull_request_key', 'place'], 'co_authors', 'co_author'
    ) }}
),

trailers_named as (
    select
        *,
        {{ address_of_app_or_person("replace(split_part(co_author, '<', 2), '>', '')") }} as coauthor_address
    from trailers
),

coauthored as (
    select
        trailers_named.source,
        trailers_named.account,
        trailers_named.pull_request_key,
        trailers_named.place,
        min(signs.agent) as agent
    from trailers_named
    inner join signs
        on
            trailers_named.coauthor_address = signs.value
            and signs.sign = 'coauthor_email'
    group by
        trailers_named.source,
        trailers_named.account,
        trailers_named.pull_request_key,
        trailers_named.place
),

coauthored_in_order as (
    select
        *,
        row_number() over (partition by source, account, pull_request_key order by place) as place_among_them
    from coauthored
),

assisted as (
    select
        source,
        account,
        pull_request_key,
        count(*) as commit_count,
        max(case when place_among_them = 1 then agent end) as agent
    from coauthored_in_order
    group by source, account, pull_request_key
),

final as (
    select
        named.source,
        named.account,
        named.pull_request_key,
        coalesce(by_login.agent, by_branch.agent, by_commits.agent) as opened_by_agent,
        case
            when by_login.agent is not null then 'author_login'
            when by_branch.agent is not null then 'head_branch_prefix'
            when by_commits.agent is not null then 'commit_author_email'
        end as opened_how,
        assisted.agent as assisted_by_agent,

        case when by_commits.n_coauthors_known > 0 then coalesce(assisted.commit_count, 0) end
            as ai_coauthored_commits,
        coalesce(by_commits.n_coauthors_known, 0) as n_coauthors_known
    from named
    left join signs as by_login
        on
            named.author_login = by_login.value
            and by_login.sign = 'author_login'
    left join by_branch
        on
            named.source = by_branch.source
            and named.account = by_branch.account
            and named.pull_request_key = by_branch.pull_request_key
    left join by_commits
        on
            named.source = by_commits.source
            and named.account = by_commits.account
            and named.pull_request_key = by_commits.pull_request_key
    left join assisted
        on
            named.source = assisted.source
            and named.account = assisted.account
            and named.pull_request_key = assisted.pull_request_key
)

select * from final
