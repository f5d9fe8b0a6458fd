{#- Whether a text begins with one of the prefixes, letter case included; the prefixes contain neither % nor _. -#}
{% macro starts_with_any(text, prefixes) -%}
    (
        {%- for prefix in prefixes %}
        {{ 'or ' if not loop.first }}{{ text }} like '{{ prefix }}%'
        {%- endfor %}
    )
{%- endmacro %}
