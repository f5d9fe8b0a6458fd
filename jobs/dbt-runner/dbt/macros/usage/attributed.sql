{#- The sum of what usage cost, in an aggregating select: NULL when of no response it is known, 0 when there are none. -#}
{% macro known_cost() -%}
    case
        when sum(assistant_message_count) = 0 then 0
        when sum(n_cost) > 0 then sum(cost_usd)
    end
{%- endmacro %}
