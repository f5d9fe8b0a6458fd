{#-
  One row per combination of `columns`, and none of them unknown; one in `may_be_null` may be, and is then a value
  like any other. One query replaces a unique and several not_null tests, because a build runs after every load.

  With `changes_of`, a mart, only the keys of rows that changed since that mart was tested are looked at, in all of
  their rows: a new row may repeat an old one. The columns are texts then.
-#}
{% test unique_grain(model, columns, may_be_null=[], changes_of=none) %}

select
    {% for column in columns %}tested.{{ column }}, {% endfor %}
    count(*) as row_count
from {{ model }} as tested
{%- if changes_of %}
inner join (
    select distinct {{ columns | join(', ') }} from {{ model }}
    where _load_seq > {{ tested_through(changes_of) }}
) as changed
    on
        {%- for column in columns %}
        {{ 'and ' if not loop.first }}{{ is_same('tested.' ~ column, 'changed.' ~ column) }}
        {%- endfor %}
{%- endif %}
group by {% for column in columns %}tested.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
having
    count(*) > 1
    {%- for column in columns if column not in may_be_null %}
    or tested.{{ column }} is null
    {%- endfor %}

{% endtest %}
