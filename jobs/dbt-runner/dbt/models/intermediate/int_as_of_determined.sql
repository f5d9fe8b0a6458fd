with loads as (
    select * from {{ ref('stg_loads') }}
),

github_pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
),

-- After the time of a run follows its account. A dropped file has no run.
loaded as (
    select
        case when table_name = 'pull_requests' then 'cursor-sim' else 'github' end as source,
        coalesce(split_part(run_id, 'Z-', 2), '') as account,
        run_id is not null as has_run,
        extracted_at,
        load_seq
    from loads
    where
        table_name in ('pull_requests', 'github_pull_requests', 'source_windows')
        and quarantine_reason is null
),

numbered as (
    select
        *,
        row_number() over (
            order by has_run desc, extracted_at desc nulls last, load_seq desc nulls last, account asc
        ) as run_position
    from loaded
    where source = 'cursor-sim'
),

-- What a dropped file has of an account is of an extraction too.
of_github as (
    select
        account,
        extracted_at
    from loaded
    where
        source = 'github'
        and has_run
    union all
    select
        account,
        extracted_at
    from github_pull_requests
),

extracted as (
    select
        'cursor-sim' as source,
        coalesce(max(case when run_position = 1 then account end), '') as account,
        max(extracted_at) as extracted_at
    from numbered
    union all
    select
        'github' as source,
        account,
        max(extracted_at) as extracted_at
    from of_github
    group by account
),

final as (
    select
        source,
        account,
        case when extracted_at > {{ utc_now() }} then {{ utc_now() }} else extracted_at end as as_of
    from extracted
)

select * from final
