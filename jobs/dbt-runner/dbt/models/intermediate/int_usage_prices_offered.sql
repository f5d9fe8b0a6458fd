with dropped as (
    select * from {{ ref('stg_usage_prices') }}
    where
        is_usable
        and not is_taken_back
),

aliases as (
    select * from {{ ref('usage_model_aliases') }}
),

-- A price under another name of a model is one of that model; one under its own name comes first.
own as (
    select
        dropped.*,
        coalesce(aliases.model, dropped.model) as price_model
    from dropped
    left join aliases on dropped.model = aliases.alias
    qualify row_number() over (
        partition by
            coalesce(aliases.model, dropped.model),
            dropped.speed,
            dropped.region,
            dropped.context_over_tokens,
            dropped.valid_from
        order by
            case when aliases.alias is null then 0 else 1 end asc,
            dropped.extracted_at desc nulls last,
            dropped.model asc
    ) = 1
),

listed as (
    {%- for source, seed in {'rate_card': 'usage_prices', 'second_source': 'usage_prices_second'}.items() %}
        select
            '{{ source }}' as price_source,
            model as price_model,
            speed,
            coalesce(region, '') as region,
            context_over_tokens,
            valid_from,
            {%- for rate in price_rates() %}
                {{ rate }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ ref(seed) }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        listed.*,
        cast(null as bigint) as _load_seq
    from listed
    left join own
        on
            listed.price_model = own.price_model
            and listed.speed = own.speed
            and listed.region = own.region
            and listed.context_over_tokens = own.context_over_tokens
            and listed.valid_from = own.valid_from
    where own.price_model is null
    union all
    select
        'rate_card' as price_source,
        price_model,
        speed,
        region,
        context_over_tokens,
        valid_from,
        {%- for rate in price_rates() %}
            {{ rate }},
        {%- endfor %}
        _load_seq
    from own
)

select * from final
