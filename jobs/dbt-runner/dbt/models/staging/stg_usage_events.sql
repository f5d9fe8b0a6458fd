with usage_events as (
    select * from {{ source('raw', 'usage_events') }}
),

typed as (
    select
        cast(collector_id as varchar) as collector_id,
        cast(user_id as varchar) as user_id,
        cast(agent as varchar) as agent,
        cast(session_id as varchar) as session_id,
        cast(message_id as varchar) as message_id,
        cast(request_id as varchar) as request_id,
        cast(role as varchar) as role,
        cast(project as varchar) as project,
        cast(nullif(trim(repository), '') as varchar) as repository,
        cast(provider as varchar) as provider,
        cast(model as varchar) as model,
        cast(speed as varchar) as speed,
        cast(is_estimated as boolean) as is_estimated,
        cast(region as varchar) as region,
        cast(web_searches as bigint) as web_searches,
        cast(is_lower_bound as boolean) as is_lower_bound,
        cast(is_withdrawn as boolean) as is_withdrawn,

        cast(input_tokens as bigint) as input_tokens,
        cast(output_tokens as bigint) as output_tokens,
        cast(cache_read_tokens as bigint) as cache_read_tokens,
        cast(cache_write_5m_tokens as bigint) as cache_write_5m_tokens,
        cast(cache_write_1h_tokens as bigint) as cache_write_1h_tokens,
        cast(reasoning_tokens as bigint) as reasoning_tokens,
        try_cast(reported_cost_usd as {{ money() }}) as reported_cost_usd,

        cast(occurred_at as datetime) as occurred_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_load_seq as bigint) as _load_seq
    from usage_events
),

-- The bounds are those of the parsers (millrace.collect.parsers.fields), and prompts have no tokens: only a
-- file made by hand can be outside of them.
final as (
    select
        *,
        cast(
            extract(year from occurred_at) * 100 + extract(month from occurred_at) as varchar
        ) as occurred_month,
        coalesce(
            session_id is not null
            and occurred_at is not null
            and role in ('user', 'assistant')
            and coalesce(speed, 'standard') in ('standard', 'fast', 'flex', 'batch', 'ultrafast')
            {%- for kind in token_kinds() %}
                and coalesce({{ kind }}, 0)
                between 0 and case when role = 'user' then 0 else 1000000000000 end
            {%- endfor %}
            and coalesce(reported_cost_usd, 0) between 0 and 1000000
            and coalesce(web_searches, 0) between 0 and 1000000
            and not coalesce(is_withdrawn, false),
            false
        ) as is_usable
    from typed
)

select * from final
