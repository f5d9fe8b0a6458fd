{%- set keys = ['day', 'user_id', 'project', 'repository', 'agent', 'provider', 'model', 'speed'] -%}
{{ config(keys=keys) }}
with {{ affected_events('usage_daily', keys) }},

summed as (
    select
        {{ keys | join(', ') }},
        count(*) as message_count,
        count(distinct agent || chr(31) || session_id) as session_count,
        {{ usage_sums() }}
    from events
    group by {{ keys | join(', ') }}
),

final as (
    select
        cast(day as date) as day,
        cast(user_id as varchar) as user_id,
        cast(project as varchar) as project,
        cast(repository as varchar) as repository,
        cast(agent as varchar) as agent,
        cast(provider as varchar) as provider,
        cast(model as varchar) as model,
        cast(speed as varchar) as speed,
        cast(message_count as bigint) as message_count,
        cast(session_count as bigint) as session_count,
        {{ usage_measures() }}
    from summed
)

select * from final
