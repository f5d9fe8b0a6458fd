{{ config(keys=['event_id']) }}
-- Whose changes it follows: {{ ref('stg_usage_events') }}
with events as (
    select
        *,
        coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0)
        + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0) as context_tokens,
        coalesce(provider, agent) as price_provider,
        coalesce(speed, 'standard') as price_speed
    from {{ ref('int_usage_events_changed') }}
),

models as (
    select distinct
        price_provider,
        model
    from events
),

-- Distinct, so that each model is matched with each pattern once, and not each event.
rates as (
    select distinct
        models.model,
        prices.*
    from models
    inner join {{ ref('usage_prices') }} as prices
        on
            models.price_provider = prices.provider
            and {{ full_match('models.model', 'prices.model_pattern') }}
),

priced as (
    select
        events.event_id,
        rates.context_over_tokens,
        {%- for kind in token_kinds() if kind != 'reasoning_tokens' %}
            {%- set rate = kind | replace('_tokens', '_usd') %}
            {{ '+ ' if not loop.first }}{{ cost_of('events.' ~ kind, 'rates.' ~ rate) }}
        {%- endfor %} as rate_card_usd
    from events
    inner join rates
        on
            events.price_provider = rates.provider
            and events.model = rates.model
            and events.price_speed = rates.speed
            and cast(events.occurred_at as date) >= rates.valid_from
            and (rates.context_over_tokens = 0 or events.context_tokens > rates.context_over_tokens)
    qualify row_number() over (
        partition by events.event_id
        order by rates.valid_from desc, rates.context_over_tokens desc, rates.model_pattern asc
    ) = 1
),

final as (
    select
        cast(events.event_id as varchar) as event_id,
        cast(events.agent as varchar) as agent,
        cast(events.session_id as varchar) as session_id,
        cast(events.message_id as varchar) as message_id,
        cast(events.request_id as varchar) as request_id,
        cast(events.role as varchar) as role,
        cast(events.occurred_at as datetime) as occurred_at,
        cast({{ in_reporting_zone('events.occurred_at') }} as date) as day,
        cast(events.user_id as varchar) as user_id,
        cast(events.project as varchar) as project,
        cast(events.provider as varchar) as provider,
        cast(events.model as varchar) as model,
        cast(events.speed as varchar) as speed,
        {%- for kind in token_kinds() %}
            cast(events.{{ kind }} as bigint) as {{ kind }},
        {%- endfor %}
        cast(events.context_tokens + coalesce(events.output_tokens, 0) as bigint) as total_tokens,
        cast(events.is_estimated as boolean) as is_estimated,
        cast(
            case
                when events.role = 'user' then 0
                else coalesce(priced.rate_card_usd, events.reported_cost_usd)
            end as {{ money() }}
        ) as cost_usd,
        cast(
            case
                when events.role = 'user' then null
                when priced.rate_card_usd is not null and events.is_estimated then 'estimated'
                when priced.rate_card_usd is not null then 'rate_card'
                when events.reported_cost_usd is not null then 'provider'
                else 'unknown'
            end as varchar
        ) as cost_source,
        cast(events.reported_cost_usd as {{ money() }}) as reported_cost_usd,
        cast(
            case when events.role = 'assistant' then priced.context_over_tokens end as bigint
        ) as context_over_tokens,
        cast(events._load_seq as bigint) as _load_seq
    from events
    left join priced on events.event_id = priced.event_id
)

select * from final
