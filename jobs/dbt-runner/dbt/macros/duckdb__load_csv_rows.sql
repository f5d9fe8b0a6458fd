{#-
  Inserts seeds row by row, as on every other engine. The adapter's own method copies from the path that the project had
  when it was parsed, which a later run from another folder (with the parse kept) does not find.
-#}
{% macro duckdb__load_csv_rows(model, agate_table) -%}
    {{ return(default__load_csv_rows(model, agate_table)) }}
{%- endmacro %}
