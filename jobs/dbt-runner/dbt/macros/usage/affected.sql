{#-
  The keys that changed since the mart was refreshed. For the fact: the loaded events, with their newest change.
  For the marts that follow it: the present and the former keys of changed events.
-#}
{% macro affected_keys(mart, keys) -%}
    {%- if mart == 'usage_events' -%}
    select
        {{ event_id() }} as event_id,
        max(_load_seq) as load_seq
    from {{ ref('stg_usage_events') }}
    where _load_seq > {{ followed_through(mart) }}
    group by event_id
    {%- else -%}
    select distinct {{ keys | join(', ') }}
    from {{ ref('usage_events') }}
    where _load_seq > {{ followed_through(mart) }}
    union
    select distinct {{ keys | join(', ') }}
    from {{ source('meta', 'usage_old_keys') }}
    where load_seq > {{ followed_through(mart) }}
    {%- endif -%}
{%- endmacro %}


{#-
  The first two CTEs of a mart that follows the fact: the affected keys, and as `events` all events that have them. With
  the variable from_all_events there is no such step, and the events are all that `usage_events` has. The step's
  references are compiled in both cases, so that dbt records its dependencies.
-#}
{% macro affected_events(mart, keys) -%}
    {%- set affected = affected_keys(mart, keys) -%}
    {%- if var('from_all_events') -%}
events as (
    select * from {{ ref('usage_events') }}
)
    {%- else -%}
affected as (
    {{ affected }}
),

events as (
    select events.*
    from {{ ref('usage_events') }} as events
    inner join affected on {{ same_key('events', 'affected', keys) }}
)
    {%- endif -%}
{%- endmacro %}


{#- The load sequence up to which the mart contains all changes, as a scalar; -1 before its first refresh. -#}
{% macro followed_through(mart) -%}
    (select coalesce(max(load_seq), -1) from {{ source('meta', 'mart_watermarks') }} where mart_name = '{{ mart }}')
{%- endmacro %}


{#- The load sequence up to which the last good build tested the mart, as a scalar; -1 where everything is to be tested. -#}
{% macro tested_through(mart) -%}
    {{ return(followed_through('tested.' ~ mart)) }}
{%- endmacro %}


{#- The id of an event, which is the same on every machine. -#}
{% macro event_id() -%}
    md5(agent || chr(31) || message_id || coalesce(chr(31) || request_id, ''))
{%- endmacro %}


{#- Whether two rows have the same key. Columns that may be unknown also match if both are unknown. -#}
{% macro same_key(one, other, keys) -%}
    {%- for key in keys -%}
        {{ ' and ' if not loop.first }}
        {%- if key in (
            'user_id', 'project', 'repository', 'provider', 'model', 'speed', 'request_id', 'source', 'account'
        ) -%}
            {{ is_same(one ~ '.' ~ key, other ~ '.' ~ key) }}
        {%- else -%}
            {{ one }}.{{ key }} = {{ other }}.{{ key }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}


{#- The columns of an event that are the key of some mart, as they are in meta.usage_old_keys. -#}
{% macro usage_key_columns() -%}
    {{ return(['day', 'user_id', 'project', 'repository', 'agent', 'provider', 'model', 'speed', 'session_id']) }}
{%- endmacro %}
