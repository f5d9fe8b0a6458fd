with windows as (
    select * from {{ ref('stg_source_windows') }}
),

final as (
    select
        cast(source as varchar) as source,
        cast(account as varchar) as account,
        cast(object as varchar) as object,
        cast(window_id as varchar) as window_id,
        cast(name as varchar) as name,
        cast(state as varchar) as state,
        cast(row_count as bigint) as row_count,
        cast(source_total as bigint) as source_total,
        cast(missing as bigint) as missing,
        cast(reason as varchar) as reason,
        cast(settled_at as datetime) as settled_at,
        cast(read_at as datetime) as read_at
    from windows
)

select * from final
