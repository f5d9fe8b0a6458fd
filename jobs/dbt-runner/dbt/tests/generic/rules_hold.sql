{#-
  Every row satisfies each of the named `rules` (an unknown result satisfies a rule). One query for all of them;
  the failing rows contain the name of the rule. With `changes_of`, a mart, only rows that changed since that mart was
  tested.
-#}
{% test rules_hold(model, rules, changes_of=none) %}

with ruled as (
    select
        *,
        case
            {%- for name, condition in rules.items() %}
            when not ({{ condition }}) then '{{ name }}'
            {%- endfor %}
        end as broken_rule
    from {{ model }}
    {%- if changes_of %}
    where _load_seq > {{ tested_through(changes_of) }}
    {%- endif %}
)

select * from ruled
where broken_rule is not null

{% endtest %}
