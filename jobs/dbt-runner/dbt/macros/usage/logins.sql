{#-
  An e-mail address in lower case. GitHub makes one for those who hide theirs, `ID+login@users.noreply.github.com`, or
  without the number (https://docs.github.com/account-and-profile/reference/email-addresses-reference): it is the latter.
-#}
{% macro plain_address(email) -%}
    case
        when lower({{ email }}) like '%+%@users.noreply.github.com'
            then split_part(split_part(lower({{ email }}), '@', 1), '+', 2) || '@users.noreply.github.com'
        else lower({{ email }})
    end
{%- endmacro %}


{#- The login in a plain address that GitHub made; NULL for another address. -#}
{% macro login_in(address) -%}
    case
        when {{ address }} like '%@users.noreply.github.com' then nullif(split_part({{ address }}, '@', 1), '')
    end
{%- endmacro %}
