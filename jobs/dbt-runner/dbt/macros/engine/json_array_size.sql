{#- The number of elements in a text column's JSON array; NULL when the text is NULL or not a JSON array. -#}
{% macro json_array_size(json_text) -%}
    {{ return(adapter.dispatch('json_array_size', 'millrace')(json_text)) }}
{%- endmacro %}

{% macro default__json_array_size(json_text) -%}
    case
        when json_type(case when json_valid({{ json_text }}) then {{ json_text }} end) = 'ARRAY'
            then cast(json_array_length({{ json_text }}) as bigint)
    end
{%- endmacro %}

{#- With 'd' an object may have a key twice, as on DuckDB: without it the whole text would be invalid. -#}
{% macro snowflake__json_array_size(json_text) -%}
    cast(array_size(try_parse_json({{ json_text }}, 'd')) as bigint)
{%- endmacro %}
