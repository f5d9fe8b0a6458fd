{#- The schemas are named exactly staging, intermediate and mart on every engine and target, never prefixed. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
