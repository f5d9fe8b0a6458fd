with loads as (
    select * from {{ source('meta', 'loads') }}
),

final as (
    select
        cast(bucket as varchar) as bucket,
        cast(name as varchar) as object_name,
        cast(generation as bigint) as generation,
        cast(table_name as varchar) as table_name,
        cast(run_id as varchar) as run_id,
        cast(quarantine_reason as varchar) as quarantine_reason,

        cast(rows_read as bigint) as rows_read,
        cast(rows_inserted as bigint) as rows_inserted,
        cast(rows_updated as bigint) as rows_updated,
        cast(rows_unchanged as bigint) as rows_unchanged,
        cast(rows_superseded as bigint) as rows_superseded,
        cast(rows_quarantined as bigint) as rows_quarantined,
        cast(load_seq as bigint) as load_seq,

        cast(extracted_at as datetime) as extracted_at,
        cast(loaded_at as datetime) as loaded_at
    from loads
)

select * from final
