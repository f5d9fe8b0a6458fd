{#- The number of elements in a list of texts; NULL for no list. -#}
{% macro list_length(list) -%}
    {{ return(adapter.dispatch('list_length', 'millrace')(list)) }}
{%- endmacro %}

{% macro default__list_length(list) -%}
    cast(len({{ list }}) as bigint)
{%- endmacro %}

{% macro snowflake__list_length(list) -%}
    cast(array_size({{ list }}) as bigint)
{%- endmacro %}


{#- A select of the key columns and one row per element of the list; none for an empty or missing list. -#}
{% macro select_unnested(relation, keys, list, element) -%}
    {{ return(adapter.dispatch('select_unnested', 'millrace')(relation, keys, list, element)) }}
{%- endmacro %}

{% macro default__select_unnested(relation, keys, list, element) -%}
    select
        {{ keys | join(', ') }},
        unnest({{ list }}) as {{ element }}
    from {{ relation }}
{%- endmacro %}

{% macro snowflake__select_unnested(relation, keys, list, element) -%}
    select
        {{ keys | join(', ') }},
        cast(elements.value as varchar) as {{ element }}
    from {{ relation }}, lateral flatten(input => {{ list }}) as elements
{%- endmacro %}
