{#- The number of rows where the condition is true. Not count_if: over rows where it is unknown, DuckDB's is NULL. -#}
{% macro count_where(condition) -%}
    count(case when {{ condition }} then 1 end)
{%- endmacro %}
