{%- set keys = ['project'] -%}
{{ config(keys=keys) }}
with {{ affected_events('usage_project', keys) }},

summed as (
    select
        project,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        count(distinct agent || chr(31) || session_id) as session_count,
        count(distinct user_id) as user_count,
        count(distinct agent) as agent_count,
        {{ usage_sums() }}
    from events
    group by project
),

final as (
    select
        cast(project as varchar) as project,
        cast(first_at as datetime) as first_at,
        cast(last_at as datetime) as last_at,
        cast(session_count as bigint) as session_count,
        cast(user_count as bigint) as user_count,
        cast(agent_count as bigint) as agent_count,
        {{ usage_measures() }}
    from summed
)

select * from final
