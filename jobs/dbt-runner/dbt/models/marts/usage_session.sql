{%- set keys = ['agent', 'session_id'] -%}
{{ config(keys=keys) }}
with {{ affected_events('usage_session', keys) }},

known as (
    select
        {%- for name in ['user_id', 'project', 'repository', 'provider'] %}
            min(case when {{ name }} is not null then occurred_at end)
                over (partition by agent, session_id)
                as {{ name }}_known_at,
        {%- endfor %}
        *
    from events
),

used as (
    select
        agent,
        session_id,
        model
    from events
    where
        role = 'assistant'
        and model is not null
    group by agent, session_id, model
    qualify row_number() over (partition by agent, session_id order by count(*) desc, model asc) = 1
),

summed as (
    select
        agent,
        session_id,
        {%- for name in ['user_id', 'project', 'repository', 'provider'] %}
            min(case when occurred_at = {{ name }}_known_at then {{ name }} end) as {{ name }},
        {%- endfor %}
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        {{ usage_sums() }}
    from known
    group by agent, session_id
),

final as (
    select
        cast(summed.agent as varchar) as agent,
        cast(summed.session_id as varchar) as session_id,
        cast(summed.user_id as varchar) as user_id,
        cast(summed.project as varchar) as project,
        cast(summed.repository as varchar) as repository,
        cast(summed.provider as varchar) as provider,
        cast(used.model as varchar) as primary_model,
        cast(summed.first_at as datetime) as first_at,
        cast(summed.last_at as datetime) as last_at,
        cast(
            summed.assistant_message_count = 1 and summed.user_message_count = 1 as boolean
        ) as is_one_shot,
        {{ usage_measures() }}
    from summed
    left join used
        on
            summed.agent = used.agent
            and summed.session_id = used.session_id
)

select * from final
