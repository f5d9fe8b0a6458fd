with loads as (
    select * from {{ ref('stg_loads') }}
),

final as (
    select
        case
            when max(extracted_at) > {{ utc_now() }} then {{ utc_now() }}
            else max(extracted_at)
        end as as_of
    from loads
    where
        table_name = 'pull_requests'
        and quarantine_reason is null
)

select * from final
