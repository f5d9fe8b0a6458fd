{#- The measures of every usage mart: counts of events and of tokens, and costs. In an aggregating select. -#}
{% macro usage_sums() -%}
    {{ count_where("role = 'assistant'") }} as assistant_message_count,
    {{ count_where("role = 'user'") }} as user_message_count,
    {%- for kind in token_kinds() %}
    sum(coalesce({{ kind }}, 0)) as {{ kind }},
    {%- endfor %}
    sum(total_tokens) as total_tokens,
    {{ count_where("role = 'assistant' and is_lower_bound") }} as lower_bound_count,
    {{ count_where("role = 'assistant' and cost_usd is not null") }} as n_cost,
    sum(cost_usd) as sum_cost,
    sum(case when role = 'assistant' then reported_cost_usd end) as reported_cost_usd
{%- endmacro %}


{#- The columns of usage_sums as a mart's contract has them. An unknown cost of responses is NULL, never 0. -#}
{% macro usage_measures() -%}
    cast(assistant_message_count as bigint) as assistant_message_count,
    cast(user_message_count as bigint) as user_message_count,
    {%- for kind in token_kinds() %}
    cast({{ kind }} as bigint) as {{ kind }},
    {%- endfor %}
    cast(total_tokens as bigint) as total_tokens,
    cast(lower_bound_count as bigint) as lower_bound_count,
    cast(
        case when assistant_message_count = 0 then 0 when n_cost > 0 then sum_cost end as {{ money() }}
    ) as cost_usd,
    cast(n_cost as bigint) as n_cost,
    cast(reported_cost_usd as {{ money() }}) as reported_cost_usd
{%- endmacro %}


{#- The sums by which usage marts are compared, in an aggregating select; prompts are NULL for a mart without them. -#}
{% macro sums_of_usage(has_prompts) -%}
    coalesce(sum(assistant_message_count), 0) as responses,
    {{ 'coalesce(sum(user_message_count), 0)' if has_prompts else 'null' }} as prompts,
    coalesce(sum(total_tokens), 0) as total_tokens,
    coalesce(sum(lower_bound_count), 0) as lower_bounds,
    coalesce(sum(n_cost), 0) as n_cost,
    coalesce(sum(cost_usd), 0) as cost_usd
{%- endmacro %}


{#- The disjoint kinds of tokens, and reasoning, which is a part of the output. -#}
{% macro token_kinds() -%}
    {{ return([
        'input_tokens',
        'output_tokens',
        'cache_read_tokens',
        'cache_write_5m_tokens',
        'cache_write_1h_tokens',
        'reasoning_tokens',
    ]) }}
{%- endmacro %}


{#- An amount of USD: a token at a rate of a millionth of a dollar per million is a unit of the last digit. -#}
{% macro money() -%}
    decimal(38, 12)
{%- endmacro %}
