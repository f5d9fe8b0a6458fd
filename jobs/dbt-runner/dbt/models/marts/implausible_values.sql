with of_cursor_sim as (
    select * from {{ ref('int_implausible_values_counted') }}
),

of_github as (
    select * from {{ ref('int_github_implausible_values_counted') }}
),

united as (
    select
        source,
        account,
        table_name,
        reason,
        row_count,
        value_count
    from of_cursor_sim
    union all
    select
        source,
        account,
        table_name,
        reason,
        row_count,
        value_count
    from of_github
),

final as (
    select
        cast(source as varchar) as source,
        cast(account as varchar) as account,
        cast(table_name as varchar) as table_name,
        cast(reason as varchar) as reason,
        cast(row_count as bigint) as row_count,
        cast(value_count as bigint) as value_count
    from united
)

select * from final
