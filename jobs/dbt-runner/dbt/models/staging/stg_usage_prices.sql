with usage_prices as (
    select * from {{ source('raw', 'usage_prices') }}
),

named as (
    select
        cast(replace(replace(lower(trim(model)), '.', '-'), ' ', '-') as varchar) as model,
        cast(coalesce(nullif(lower(trim(speed)), ''), 'standard') as varchar) as speed,
        cast({{ price_region('trim(region)') }} as varchar) as region,
        cast(coalesce(context_over_tokens, 0) as bigint) as context_over_tokens,
        cast(trim(valid_from) as varchar) as valid_from,
        source,
        {%- for rate in price_rates() %}
            {{ rate }},
        {%- endfor %}
        _extracted_at,
        _load_seq
    from usage_prices
),

-- The newest row of a price, a row without a rate included: it takes earlier ones back.
newest as (
    select *
    from named
    qualify row_number() over (
        partition by model, speed, region, context_over_tokens, valid_from
        order by _extracted_at desc nulls last, _load_seq desc nulls last, source asc
    ) = 1
),

-- A rate has six decimal places. What is no rate, or would be rounded to 0, is no price.
checked as (
    select
        *,
        case
            when {{ full_match('valid_from', "'[0-9]{4}-[0-9]{2}-[0-9]{2}'") }} then try_cast(valid_from as date)
        end as first_day,
        coalesce(
            {%- for rate in price_rates() %}
                {{ rate }}{{ ',' if not loop.last }}
            {%- endfor %}
        ) is null as is_taken_back,
        {%- for rate in price_rates() %}
            coalesce({{ rate }} = 0 or {{ rate }} between 0.000001 and 100000, true)
            {{- ' and' if not loop.last else ' as has_rates' }}
        {%- endfor %}
    from newest
),

final as (
    select
        model,
        speed,
        region,
        context_over_tokens,
        valid_from as valid_from_text,
        cast(first_day as date) as valid_from,
        cast(source as varchar) as source,
        cast(is_taken_back as boolean) as is_taken_back,
        {%- for rate in price_rates() %}
            cast(case when has_rates then {{ rate }} end as decimal(12, 6)) as {{ rate }},
        {%- endfor %}
        cast(
            coalesce(
                model <> ''
                and speed in ('standard', 'fast', 'flex', 'batch', 'ultrafast')
                and context_over_tokens >= 0
                and first_day is not null
                and has_rates,
                false
            ) as boolean
        ) as is_usable,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_load_seq as bigint) as _load_seq
    from checked
)

select * from final
