{#- Whether an account is a bot, by its kind or by the end of its login; false where neither is known. -#}
{% macro is_bot(kind, login) -%}
    (coalesce({{ kind }} = 'bot', false) or coalesce(lower({{ login }}) like '%[bot]', false))
{%- endmacro %}
