{#- The number, moved to the nearer end when it lies outside 0..1; NULL stays NULL. -#}
{% macro within_0_and_1(number) -%}
    case when {{ number }} < 0 then 0 when {{ number }} > 1 then 1 else {{ number }} end
{%- endmacro %}
