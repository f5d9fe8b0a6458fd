with repos as (
    select * from {{ ref('stg_repos') }}
),

pull_requests as (
    select * from {{ ref('stg_pull_requests') }}
),

loads as (
    select * from {{ ref('stg_loads') }}
),

github_repos as (
    select * from {{ ref('stg_github_repos') }}
),

github_pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
),

-- After the time of a run follows its account.
extracted as (
    select coalesce(split_part(run_id, 'Z-', 2), '') as account
    from loads
    where
        table_name in ('pull_requests', 'repos')
        and quarantine_reason is null
        and run_id is not null
    qualify row_number() over (order by extracted_at desc nulls last, load_seq desc nulls last) = 1
),

current_names as (
    select
        account,
        repo_id,
        repo_name,
        extracted_at
    from github_repos
    qualify row_number() over (
        partition by repo_id, created_at
        order by extracted_at desc nulls last, account asc
    ) = 1
),

-- A clone keeps the name that its repository had: those of pull requests that were read before a rename are known.
names as (
    select
        repo_name as name,
        repo_name,
        'github' as source,
        account,
        1 as name_rank,
        extracted_at
    from current_names
    union all
    select
        github_pull_requests.repo_name as name,
        current_names.repo_name,
        'github' as source,
        current_names.account,
        3 as name_rank,
        github_pull_requests.extracted_at
    from github_pull_requests
    inner join current_names
        on
            github_pull_requests.account = current_names.account
            and github_pull_requests.repo_id = current_names.repo_id
    union all
    select
        named.repo_name as name,
        named.repo_name,
        'cursor-sim' as source,
        coalesce(extracted.account, '') as account,
        2 as name_rank,
        cast(null as datetime) as extracted_at
    from (
        select repo_name from repos
        union distinct
        select repo_name from pull_requests
    ) as named
    left join extracted on true
),

final as (
    select
        lower(name) as name_key,
        repo_name,
        source,
        account
    from names
    where name <> ''
    qualify row_number() over (
        partition by lower(name)
        order by name_rank asc, extracted_at desc nulls last, account asc, repo_name asc
    ) = 1
)

select * from final
