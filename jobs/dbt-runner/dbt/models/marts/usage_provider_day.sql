{%- set keys = ['day', 'agent', 'provider'] -%}
{{ config(keys=keys) }}
with {{ affected_events('usage_provider_day', keys) }},

summed as (
    select
        {{ keys | join(', ') }},
        count(distinct agent || chr(31) || session_id) as session_count,
        count(distinct project) as project_count,
        {{ usage_sums() }}
    from events
    group by {{ keys | join(', ') }}
),

final as (
    select
        cast(day as date) as day,
        cast(agent as varchar) as agent,
        cast(provider as varchar) as provider,
        cast(session_count as bigint) as session_count,
        cast(project_count as bigint) as project_count,
        {{ usage_measures() }}
    from summed
)

select * from final
