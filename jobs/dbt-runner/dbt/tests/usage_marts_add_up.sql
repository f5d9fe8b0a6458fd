{{ config(group='usage') }}
{%- set without_prompts = ['usage_model_day', 'int_usage_attributed'] -%}
{%- set with_prompts = ['usage_session', 'usage_project', 'usage_provider_day', 'usage_coverage'] -%}
{%- set marts = with_prompts + without_prompts -%}
-- Every event is in each usage mart exactly once. The sums of usage_daily are those of the fact, on the days
-- whose events changed since the fact was tested; those of the other marts are those of usage_daily.
with changed as (
    select day from {{ ref('usage_events') }}
    where _load_seq > {{ tested_through('usage_events') }}
    union
    select day from {{ source('meta', 'usage_old_keys') }}
    where load_seq > {{ tested_through('usage_events') }}
),

fact as (
    select
        'usage_events' as mart,
        {{ count_where("role = 'assistant'") }} as responses,
        {{ count_where("role = 'user'") }} as prompts,
        coalesce(sum(total_tokens), 0) as total_tokens,
        {{ count_where("role = 'assistant' and is_lower_bound") }} as lower_bounds,
        {{ count_where("role = 'assistant' and cost_usd is not null") }} as n_cost,
        coalesce(sum(cost_usd), 0) as cost_usd
    from {{ ref('usage_events') }}
    where day in (select changed.day from changed)
),

changed_days as (
    select
        {{ sums_of_usage(true) }}
    from {{ ref('usage_daily') }}
    where day in (select changed.day from changed)
),

marts as (
    {%- for mart in marts %}
        select
            '{{ mart }}' as mart,
            {{ sums_of_usage(mart not in without_prompts) }}
        from {{ ref(mart) }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

days as (
    select
        {{ sums_of_usage(true) }}
    from {{ ref('usage_daily') }}
),

compared as (
    select
        fact.*,
        changed_days.responses as expected_responses,
        changed_days.prompts as expected_prompts,
        changed_days.total_tokens as expected_total_tokens,
        changed_days.lower_bounds as expected_lower_bounds,
        changed_days.n_cost as expected_n_cost,
        changed_days.cost_usd as expected_cost_usd
    from fact
    cross join changed_days
    union all
    select
        marts.*,
        days.responses as expected_responses,
        days.prompts as expected_prompts,
        days.total_tokens as expected_total_tokens,
        days.lower_bounds as expected_lower_bounds,
        days.n_cost as expected_n_cost,
        days.cost_usd as expected_cost_usd
    from marts
    cross join days
)

select * from compared
where
    responses <> expected_responses
    or prompts <> expected_prompts
    or total_tokens <> expected_total_tokens
    or lower_bounds <> expected_lower_bounds
    or n_cost <> expected_n_cost
    or cost_usd <> expected_cost_usd
