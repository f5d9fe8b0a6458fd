{#- Whether two texts are the same, also if both are unknown. Snowflake joins by hash what is an equality. -#}
{% macro is_same(one, other) -%}
    {{ return(adapter.dispatch('is_same', 'millrace')(one, other)) }}
{%- endmacro %}

{% macro default__is_same(one, other) -%}
    {{ one }} is not distinct from {{ other }}
{%- endmacro %}

{% macro snowflake__is_same(one, other) -%}
    coalesce({{ one }}, '') = coalesce({{ other }}, '') and ({{ one }} is null) = ({{ other }} is null)
{%- endmacro %}
