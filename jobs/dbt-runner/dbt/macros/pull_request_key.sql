{#-
  What names a pull request within a source and an account: the repository, by what a rename leaves as it is where the
  source has such an id, and the number.
-#}
{% macro pull_request_key(repository, number) -%}
    cast({{ repository }} as varchar) || '#' || cast({{ number }} as varchar)
{%- endmacro %}
