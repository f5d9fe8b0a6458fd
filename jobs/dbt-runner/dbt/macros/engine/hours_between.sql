{#- Elapsed hours from one instant to another, exact to the microsecond: never a count of boundaries crossed. -#}
{% macro hours_between(earlier, later) -%}
    {{ return(adapter.dispatch('hours_between', 'millrace')(earlier, later)) }}
{%- endmacro %}

{% macro default__hours_between(earlier, later) -%}
    ((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 3.6e9)
{%- endmacro %}

{% macro snowflake__hours_between(earlier, later) -%}
    (cast(timestampdiff(microsecond, {{ earlier }}, {{ later }}) as double) / 3.6e9)
{%- endmacro %}
