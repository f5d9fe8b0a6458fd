{#-
  When something happened, in UTC; unknown before 1990, as a clock that is wrong says 1970. Not for the stamps that order
  the versions of a row.
-#}
{% macro happened_at(column) -%}
    case when {{ column }} >= cast('1990-01-01' as datetime) then cast({{ column }} as datetime) end
{%- endmacro %}


{#- How many of a row's instants happened_at makes unknown. -#}
{% macro instants_before_1990(columns) -%}
    cast(
        {%- for column in columns %}
        {{ '+ ' if not loop.first }}case when {{ column }} < cast('1990-01-01' as datetime) then 1 else 0 end
        {%- endfor %}
        as bigint
    )
{%- endmacro %}
