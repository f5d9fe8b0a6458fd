{#- The known cost of usage, in an aggregating select: NULL when no response's cost is known, 0 without responses. -#}
{% macro known_cost() -%}
    case
        when sum(assistant_message_count) = 0 then 0
        when sum(n_cost) > 0 then sum(cost_usd)
    end
{%- endmacro %}
