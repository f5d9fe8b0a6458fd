{#- Whether all of a text matches a pattern in lower case, in which * stands for any text; the text may have any case. -#}
{% macro matches_wildcard(text, pattern) -%}
    lower({{ text }}) like replace(
        replace(replace(replace({{ pattern }}, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'
    ) escape '!'
{%- endmacro %}
