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


{#- The same for a pattern of a person, which may be none: NULL on DuckDB. Snowflake has no such function and fails. -#}
{% macro try_full_match(text, pattern) -%}
    {{ return(adapter.dispatch('try_full_match', 'millrace')(text, pattern)) }}
{%- endmacro %}

{% macro default__try_full_match(text, pattern) -%}
    try({{ full_match(text, pattern) }})
{%- endmacro %}

{% macro snowflake__try_full_match(text, pattern) -%}
    {{ full_match(text, pattern) }}
{%- endmacro %}
