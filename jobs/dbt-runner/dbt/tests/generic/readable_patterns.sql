{#- Each pattern is a regular expression. On Snowflake one that is not fails the test with its text in the error. -#}
{% test readable_patterns(model, column_name) %}

select {{ column_name }} from {{ model }}
where {{ try_full_match("''", column_name) }} is null

{% endtest %}
