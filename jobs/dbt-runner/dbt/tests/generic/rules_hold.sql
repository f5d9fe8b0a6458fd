{#-
  Every row keeps each of the named `rules` (a rule that comes out as unknown is kept). One query for all of them;
  the failing rows come with the name of the rule.
-#}
{% test rules_hold(model, rules) %}

with ruled as (
    select
        *,
        case
            {%- for name, condition in rules.items() %}
            when not ({{ condition }}) then '{{ name }}'
            {%- endfor %}
        end as broken_rule
    from {{ model }}
)

select * from ruled
where broken_rule is not null

{% endtest %}
