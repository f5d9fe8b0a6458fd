with source_windows as (
    select * from {{ source('meta', 'source_windows') }}
),

final as (
    select
        cast(source_windows.source as varchar) as source,
        cast(source_windows.account as varchar) as account,
        cast(source_windows.object as varchar) as object,
        cast(source_windows.window_id as varchar) as window_id,
        cast(source_windows.name as varchar) as name,
        cast(source_windows.state as varchar) as state,
        cast(source_windows.reason as varchar) as reason,

        cast(source_windows.row_count as bigint) as row_count,
        cast(source_windows.source_total as bigint) as source_total,
        cast(source_windows.missing as bigint) as missing,

        cast(source_windows.settled_at as datetime) as settled_at,
        cast(source_windows.read_at as datetime) as read_at,
        cast(source_windows.extracted_at as datetime) as extracted_at,
        cast(source_windows.run_id as varchar) as run_id,
        cast(source_windows.load_seq as bigint) as load_seq
    from source_windows
)

select * from final
