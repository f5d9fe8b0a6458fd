{#- The two columns from which an average over known values is computed: in an aggregating select. -#}
{% macro n_and_sum(column) -%}
    count({{ column }}) as n_{{ column }},
    {{ exact_sum(column) }} as sum_{{ column }}
{%- endmacro %}


{#- An average with the count and the sum behind it, from the columns of n_and_sum: in the last select of a mart. -#}
{% macro avg_n_sum(column, sum_type='double') -%}
    cast({{ ratio('sum_' ~ column, 'n_' ~ column) }} as double) as avg_{{ column }},
    cast(n_{{ column }} as bigint) as n_{{ column }},
    cast(sum_{{ column }} as {{ sum_type }}) as sum_{{ column }}
{%- endmacro %}


{#- The columns of n_and_sum for a time, and how often it is below 0: in an aggregating select. -#}
{% macro n_sum_negative(time) -%}
    {{ n_and_sum(time) }},
    {{ count_where(time ~ ' < 0') }} as n_negative_{{ time }}
{%- endmacro %}


{#- An average of a time, from the columns of n_sum_negative: in the last select of a mart. -#}
{% macro avg_n_sum_negative(time) -%}
    {{ avg_n_sum(time) }},
    cast(n_negative_{{ time }} as bigint) as n_negative_{{ time }}
{%- endmacro %}


{#- The four times of a pull request, each a column of merged_pull_requests. -#}
{% macro time_columns() -%}
    {{ return([
        'coding_lead_time_hours',
        'pickup_time_hours',
        'review_lead_time_hours',
        'cycle_time_hours',
    ]) }}
{%- endmacro %}
