{#- The Monday of the instant's week as a date, whatever WEEK_START the session has. -#}
{% macro week_of(instant) -%}
    {{ return(adapter.dispatch('week_of', 'millrace')(instant)) }}
{%- endmacro %}

{% macro default__week_of(instant) -%}
    cast(date_trunc('week', {{ instant }}) as date)
{%- endmacro %}

{% macro snowflake__week_of(instant) -%}
    dateadd(day, 1 - dayofweekiso({{ instant }}), cast({{ instant }} as date))
{%- endmacro %}
