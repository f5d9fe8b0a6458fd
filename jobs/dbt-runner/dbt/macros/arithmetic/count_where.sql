{#- How many rows the condition is true for. Not count_if: over rows where it is unknown that is NULL on DuckDB. -#}
{% macro count_where(condition) -%}
    count(case when {{ condition }} then 1 end)
{%- endmacro %}
