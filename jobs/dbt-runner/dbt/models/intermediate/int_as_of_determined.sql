with loads as (
    select * from {{ ref('stg_loads') }}
),

final as (
    select max(extracted_at) as as_of
    from loads
    where
        table_name = 'pull_requests'
        and quarantine_reason is null
)

select * from final
