{%- set marts = ['usage_daily', 'usage_session', 'usage_project', 'usage_provider_day', 'usage_model_day'] -%}
-- Every event is in each usage mart exactly once: the sums of each mart are those of the fact.
with marts as (
    {%- for mart in marts %}
        select
            '{{ mart }}' as mart,
            coalesce(sum(assistant_message_count), 0) as responses,
            coalesce(sum(user_message_count), 0) as prompts,
            coalesce(sum(total_tokens), 0) as total_tokens,
            coalesce(sum(n_cost), 0) as n_cost,
            coalesce(sum(cost_usd), 0) as cost_usd
        from {{ ref(mart) }}
        union all
    {%- endfor %}
    select
        'int_usage_attributed' as mart,
        coalesce(sum(assistant_message_count), 0) as responses,
        null as prompts,
        coalesce(sum(total_tokens), 0) as total_tokens,
        coalesce(sum(n_cost), 0) as n_cost,
        coalesce(sum(cost_usd), 0) as cost_usd
    from {{ ref('int_usage_attributed') }}
),

fact as (
    select
        {{ count_where("role = 'assistant'") }} as responses,
        {{ count_where("role = 'user'") }} as prompts,
        coalesce(sum(total_tokens), 0) as total_tokens,
        {{ count_where("role = 'assistant' and cost_usd is not null") }} as n_cost,
        coalesce(sum(cost_usd), 0) as cost_usd
    from {{ ref('usage_events') }}
)

select marts.*
from marts
cross join fact
where
    marts.responses <> fact.responses
    or (marts.mart not in ('usage_model_day', 'int_usage_attributed') and marts.prompts <> fact.prompts)
    or marts.total_tokens <> fact.total_tokens
    or marts.n_cost <> fact.n_cost
    or marts.cost_usd <> fact.cost_usd
