{#- Whether all of a text matches a regular expression, in the syntax that both engines share. -#}
{% macro full_match(text, pattern) -%}
    {{ return(adapter.dispatch('full_match', 'millrace')(text, pattern)) }}
{%- endmacro %}

{% macro default__full_match(text, pattern) -%}
    regexp_full_match({{ text }}, {{ pattern }})
{%- endmacro %}

{% macro snowflake__full_match(text, pattern) -%}
    regexp_like({{ text }}, '^(' || {{ pattern }} || ')$')
{%- endmacro %}
