{#-
  The sum of a column of doubles, the same for every order of the rows: doubles added in another order differ in the
  last digit, and the marts must not depend on the order in which objects arrived. NULL when no value is known.
-#}
{% macro exact_sum(column) -%}
    cast(sum(cast({{ column }} as decimal(38, 18))) as double)
{%- endmacro %}
