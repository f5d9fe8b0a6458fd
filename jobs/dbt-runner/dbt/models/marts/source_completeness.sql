with windows as (
    select * from {{ ref('stg_source_windows') }}
),

-- A state that is no word of ours says nothing, and a part that lacks rows is not known.
counted as (
    select
        *,
        case when row_count > source_total then 0 else source_total - row_count end as missing,
        case
            when state in ('provisional', 'unknown', 'refused') then state
            when state in ('known', 'known_empty') and row_count < source_total then 'unknown'
            when state in ('known', 'known_empty') then state
            else 'unknown'
        end as proven_state
    from windows
),

final as (
    select
        cast(source as varchar) as source,
        cast(account as varchar) as account,
        cast(object as varchar) as object,
        cast(window_id as varchar) as window_id,
        cast(name as varchar) as name,
        cast(proven_state as varchar) as state,
        cast(row_count as bigint) as row_count,
        cast(source_total as bigint) as source_total,
        cast(missing as bigint) as missing,
        cast(reason as varchar) as reason,
        cast(settled_at as datetime) as settled_at,
        cast(read_at as datetime) as read_at
    from counted
)

select * from final
