{#-
  Every row satisfies each of the named `rules` (an unknown result satisfies a rule). One query for all of them;
  the failing rows contain the name of the rule.
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
