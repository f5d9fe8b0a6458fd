{#-
  The wall clock of the reporting time zone at an instant, which is kept in UTC. Days and weeks are those of this clock;
  the zone is declared in dbt_project.yml, and a change of it needs no new load.
-#}
{% macro in_reporting_zone(instant) -%}
    {%- if var('reporting_time_zone') == 'UTC' -%}
        {{ instant }}
    {%- else -%}
        {{ adapter.dispatch('in_reporting_zone', 'millrace')(instant, var('reporting_time_zone')) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__in_reporting_zone(instant, zone) -%}
    timezone('{{ zone }}', timezone('UTC', {{ instant }}))
{%- endmacro %}

{% macro snowflake__in_reporting_zone(instant, zone) -%}
    convert_timezone('UTC', '{{ zone }}', {{ instant }})
{%- endmacro %}
