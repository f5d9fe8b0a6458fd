{{ config(keys=['event_id']) }}
-- Whose changes it follows: {{ ref('stg_usage_events') }}
with recursive events as (
    select
        *,
        coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0)
        + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0) as context_tokens,
        coalesce(
            {%- for kind in token_kinds() if kind != 'reasoning_tokens' %}
                {{ kind }}{{ ',' if not loop.last }}
            {%- endfor %}
        ) is not null as has_tokens,
        coalesce(speed, 'standard') as logged_speed,
        {{ price_region('region') }} as price_region
    from {{ ref('int_usage_events_changed') }}
),

offers as (
    select
        *,
        coalesce(
            {%- for rate in price_rates() if rate != 'web_search_usd' %}
                {{ rate }}{{ ',' if not loop.last }}
            {%- endfor %}
        ) is null as is_empty
    from {{ ref('int_usage_prices_offered') }}
),

rules as (
    select
        step,
        pattern,
        coalesce(replacement, '') as replacement,
        speed
    from {{ ref('usage_model_rules') }}
),

names as (
    select
        price_model as name,
        price_model
    from offers
    union
    select
        alias as name,
        model as price_model
    from {{ ref('usage_model_aliases') }}
),

-- Each model is looked up once, and not each event.
models as (
    select distinct model from events
    where model is not null
),

-- The forms of a name: each rule changes what the one before has left. Some rules name a speed.
forms as (
    select
        model,
        cast(0 as bigint) as step,
        cast(replace(replace(lower(model), '.', '-'), ' ', '-') as varchar) as form,
        cast(null as varchar) as form_speed
    from models
    union all
    select
        forms.model,
        rules.step,
        cast(regexp_replace(forms.form, rules.pattern, rules.replacement) as varchar) as form,
        cast(
            case
                when regexp_replace(forms.form, rules.pattern, rules.replacement) <> forms.form
                    then coalesce(rules.speed, forms.form_speed)
                else forms.form_speed
            end as varchar
        ) as form_speed
    from forms
    inner join rules on forms.step + 1 = rules.step
),

-- The form that has a price and was changed least.
found as (
    select
        forms.model,
        names.price_model,
        forms.form_speed
    from forms
    inner join names on forms.form = names.name
    qualify row_number() over (partition by forms.model order by forms.step asc) = 1
),

rates as (
    select
        found.model,
        found.form_speed,
        offers.*
    from found
    inner join offers on found.price_model = offers.price_model
),

-- Of each source the newest price, and of these the one for the longest context.
sold as (
    select
        events.event_id,
        rates.price_source,
        rates.context_over_tokens,
        rates.is_empty,
        case
            when events.has_tokens and not rates.is_empty
                then
                    {%- for kind in token_kinds() if kind != 'reasoning_tokens' %}
                        {%- set rate = kind | replace('_tokens', '_usd') %}
                        {{ cost_of('events.' ~ kind, 'rates.' ~ rate) }} +
                    {%- endfor %}
                    {{ cost_of_searches('events.web_searches', 'rates.web_search_usd') }}
        end as price_usd
    from events
    inner join rates
        on
            events.model = rates.model
            and coalesce(rates.form_speed, events.logged_speed) = rates.speed
            and events.price_region = rates.region
            and cast(events.occurred_at as date) >= rates.valid_from
            and (rates.context_over_tokens = 0 or events.context_tokens > rates.context_over_tokens)
    where events.role = 'assistant'
    qualify row_number() over (
        partition by events.event_id, rates.price_source
        order by rates.valid_from desc, rates.context_over_tokens desc
    ) = 1
),

-- The second source has a say where the card has no rate at all.
priced as (
    select * from sold
    qualify row_number() over (partition by event_id order by is_empty asc, price_source asc) = 1
),

costed as (
    select
        events.*,
        priced.price_source,
        priced.context_over_tokens,
        priced.is_empty,
        case
            when events.role = 'user' then 0
            when {{ is_reported_first('events', 'priced') }} then events.reported_cost_usd
            else priced.price_usd
        end as cost_usd,
        case
            when events.role = 'user' then null
            when {{ is_reported_first('events', 'priced') }} then 'provider'
            when priced.price_usd is null then 'unknown'
            when events.is_estimated then 'estimated'
            else priced.price_source
        end as cost_source
    from events
    left join priced on events.event_id = priced.event_id
),

-- What the sources have for the model of a response without a cost.
offered as (
    select
        costed.event_id,
        {%- set is_of_speed = 'coalesce(rates.form_speed, costed.logged_speed) = rates.speed' %}
        {%- set is_of_region = is_of_speed ~ ' and costed.price_region = rates.region' %}
        {%- set is_of_day = is_of_region ~ ' and cast(costed.occurred_at as date) >= rates.valid_from' %}
        {{ count_where(is_of_speed) }} as of_speed,
        {{ count_where(is_of_region) }} as of_region,
        {{ count_where(is_of_day) }} as of_day
    from costed
    inner join rates on costed.model = rates.model
    where costed.cost_source = 'unknown'
    group by costed.event_id
),

final as (
    select
        cast(costed.event_id as varchar) as event_id,
        cast(costed.agent as varchar) as agent,
        cast(costed.session_id as varchar) as session_id,
        cast(costed.message_id as varchar) as message_id,
        cast(costed.request_id as varchar) as request_id,
        cast(costed.role as varchar) as role,
        cast(costed.occurred_at as datetime) as occurred_at,
        cast({{ in_reporting_zone('costed.occurred_at') }} as date) as day,
        cast(costed.user_id as varchar) as user_id,
        cast(costed.project as varchar) as project,
        cast(costed.repository as varchar) as repository,
        cast(costed.provider as varchar) as provider,
        cast(costed.model as varchar) as model,
        cast(costed.speed as varchar) as speed,
        cast(costed.region as varchar) as region,
        {%- for kind in token_kinds() %}
            cast(costed.{{ kind }} as bigint) as {{ kind }},
        {%- endfor %}
        cast(costed.context_tokens + coalesce(costed.output_tokens, 0) as bigint) as total_tokens,
        cast(costed.web_searches as bigint) as web_searches,
        cast(costed.is_estimated as boolean) as is_estimated,
        cast(costed.is_lower_bound as boolean) as is_lower_bound,
        cast(costed.cost_usd as {{ money() }}) as cost_usd,
        cast(costed.cost_source as varchar) as cost_source,
        cast(costed.reported_cost_usd as {{ money() }}) as reported_cost_usd,
        cast(found.price_model as varchar) as price_model,
        cast(costed.context_over_tokens as bigint) as context_over_tokens,
        cast(
            case
                when coalesce(costed.cost_source, 'unknown') <> 'unknown' or costed.role = 'user' then null
                when costed.model is null then 'no_model'
                when not costed.has_tokens then 'no_tokens'
                when found.price_model is null then 'model'
                when offered.of_speed = 0 then 'speed'
                when offered.of_region = 0 then 'region'
                when offered.of_day = 0 then 'day'
                when costed.context_over_tokens is null then 'context'
                when costed.is_empty and costed.context_over_tokens > 0 then 'context'
                else 'rate'
            end as varchar
        ) as price_gap,
        cast(costed._load_seq as bigint) as _load_seq
    from costed
    left join found on costed.role = 'assistant' and costed.model = found.model
    left join offered on costed.event_id = offered.event_id
)

select * from final
