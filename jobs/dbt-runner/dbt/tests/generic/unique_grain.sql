{#-
  One row per combination of `columns`, and none of them unknown; one in `may_be_null` may be, and is then a value
  like any other. One query replaces a unique and several not_null tests, because a build runs after every load.
-#}
{% test unique_grain(model, columns, may_be_null=[]) %}

select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {%- for column in columns if column not in may_be_null %}
    or {{ column }} is null
    {%- endfor %}

{% endtest %}
