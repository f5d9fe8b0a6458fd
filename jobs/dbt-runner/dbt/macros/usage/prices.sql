{#-
  The order of the sources of a cost, as src/millrace/prices.py has it too: the price of counted tokens, then what the
  agent reports, then the price of estimated tokens. A provider that sells at a price of its own, and reports it, comes
  before both.
-#}
{% macro is_reported_first(event, priced) -%}
    {{ event }}.reported_cost_usd is not null
    and ({{ priced }}.price_usd is null or {{ event }}.is_estimated or {{ event }}.provider in ('cline-pass'))
{%- endmacro %}


{#- The region of an event as it is in the rate card: empty where it is sold at the list price. -#}
{% macro price_region(region) -%}
    case
        when lower(coalesce({{ region }}, '')) in ('', 'global', 'not_available') then ''
        else lower({{ region }})
    end
{%- endmacro %}


{#- The rates of a price: of a million tokens of each kind that is sold, and of a web search. -#}
{% macro price_rates() -%}
    {{ return([
        'input_usd',
        'output_usd',
        'cache_read_usd',
        'cache_write_5m_usd',
        'cache_write_1h_usd',
        'web_search_usd',
    ]) }}
{%- endmacro %}


{#-
  The cost of tokens at a rate in USD per million; 0 for no tokens, NULL without a rate. Every digit is kept: a product
  has the digits of both on DuckDB, and on Snowflake as many decimal places as both have, up to 12. From a decimal of
  more than 18 digits DuckDB makes one of up to 38; from shorter ones one of 18, with an error if that is too few.
-#}
{% macro cost_of(tokens, rate) -%}
    case
        when coalesce({{ tokens }}, 0) = 0 then 0
        else cast({{ tokens }} as decimal(19, 0)) * {{ rate }} * cast(0.000001 as decimal(7, 6))
    end
{%- endmacro %}


{#- The cost of web searches at a rate in USD for each; 0 for none, NULL without a rate. -#}
{% macro cost_of_searches(searches, rate) -%}
    case
        when coalesce({{ searches }}, 0) = 0 then 0
        else cast({{ searches }} as decimal(19, 0)) * {{ rate }}
    end
{%- endmacro %}
