{%- set keys = ['day', 'provider', 'model', 'speed'] -%}
{{ config(keys=keys) }}
with {{ affected_events('usage_model_day', keys) }},

responses as (
    select * from events
    where role = 'assistant'
),

summed as (
    select
        {{ keys | join(', ') }},
        count(distinct agent || chr(31) || session_id) as session_count,
        {{ usage_sums() }}
    from responses
    group by {{ keys | join(', ') }}
),

final as (
    select
        cast(day as date) as day,
        cast(provider as varchar) as provider,
        cast(model as varchar) as model,
        cast(speed as varchar) as speed,
        cast(session_count as bigint) as session_count,
        {{ usage_measures() }}
    from summed
)

select * from final
