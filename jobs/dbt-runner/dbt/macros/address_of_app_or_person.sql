{#-
  An address in small letters, without blanks around it. The one that GitHub gives to an app has no number of the account before
  its login then: a sign names the login alone.
-#}
{% macro address_of_app_or_person(address) -%}
    case
        when lower(trim({{ address }})) like '%+%[bot]@users.noreply.github.com'
            then split_part(lower(trim({{ address }})), '+', 2)
        else lower(trim({{ address }}))
    end
{%- endmacro %}
