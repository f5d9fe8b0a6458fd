{#- The instant the statement runs, in UTC without a zone. -#}
{% macro utc_now() -%}
    {{ return(adapter.dispatch('utc_now', 'millrace')()) }}
{%- endmacro %}

{% macro default__utc_now() -%}
    cast(timezone('UTC', now()) as datetime)
{%- endmacro %}

{% macro snowflake__utc_now() -%}
    sysdate()
{%- endmacro %}
