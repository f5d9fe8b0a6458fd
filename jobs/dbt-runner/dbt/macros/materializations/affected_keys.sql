{#-
  A table that follows the changes of what it is made from: of each key that a change since the mart's watermark
  affects, all rows are deleted and made anew. So it is at any time what a build from nothing would make.

  The model's SQL joins `affected_keys`, and needs no other branch: before the first build the watermark is -1, and
  every key is affected. Table and watermark change in one transaction. When the definition is another one (the SQL,
  the model it follows, a seed or view that `rebuilt_with` names), or with --full-refresh, the watermark goes back to -1.

  Everything that depends on data is in the statement `main`. dbt leaves it in target/run, and there it can be run again
  as it is, over a connection that is open (millrace.refreshing does).

  Config: `keys` name the rows that change together; `follows` is the model whose changes it follows, itself one of this
  kind (none: raw events); `rebuilt_with` are other nodes; `is_fact`: the keys that an event leaves are noted for the marts.
-#}
{% materialization affected_keys, default %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set definition = mart_definition(sql) -%}

    {{ run_hooks(pre_hooks) }}
    {% if existing is none or should_full_refresh() or stored_definition(this.identifier) != definition %}
        {% do get_assert_columns_equivalent(sql) %}
        {% do make_anew(existing, target_relation, definition) %}
    {% endif %}
    {% call statement('main') -%}
        {{ refresh_script(target_relation, sql) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#- What makes the mart what it is, apart from the events. -#}
{% macro mart_definition(sql) %}
    {%- set parts = [sql] -%}
    {%- for node in config.get('rebuilt_with', []) -%}
        {%- do parts.append(graph.nodes[node].checksum.checksum) -%}
    {%- endfor -%}
    {%- if config.get('follows') -%}
        {%- do parts.append(stored_definition(config.get('follows'))) -%}
    {%- endif -%}
    {{ return(local_md5(parts | join(';'))) }}
{% endmacro %}


{% macro stored_definition(mart) %}
    {%- set found = run_query(
        "select definition from " ~ source('meta', 'mart_watermarks') ~ " where mart_name = '" ~ mart ~ "'"
    ) -%}
    {{ return(found.rows[0][0] if found.rows else '') }}
{% endmacro %}


{#- An empty table, and a watermark before all changes: first the latter, so that no empty table is taken as current. -#}
{% macro make_anew(existing, target_relation, definition) %}
    {%- set watermarks = source('meta', 'mart_watermarks') -%}
    {% call statement('forget') -%}
        delete from {{ watermarks }} where mart_name = '{{ target_relation.identifier }}'
    {%- endcall %}
    {% if existing is not none %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('make') -%}
        create table {{ target_relation }} {{ get_table_columns_and_constraints() }}
    {%- endcall %}
    {% call statement('note') -%}
        insert into {{ watermarks }} (mart_name, load_seq, definition)
        values ('{{ target_relation.identifier }}', -1, '{{ definition }}')
    {%- endcall %}
{% endmacro %}


{% macro refresh_script(target_relation, sql) %}
    {%- set keys, new_rows = config.get('keys'), sql -%}
    {%- set columns = model.columns.keys() | join(', ') -%}
    {%- if config.get('is_fact') -%}
        {%- set new_rows = 'select * from ' ~ target_relation.identifier ~ '_new' -%}
    create or replace temporary table {{ target_relation.identifier }}_new as {{ sql }};
    {%- endif %}
    {{ begin_script() }}
    {%- if config.get('is_fact') %}
    insert into {{ source('meta', 'usage_old_keys') }}
    select
        {% for column in usage_key_columns() %}old.{{ column }}, {% endfor %}new._load_seq
    from {{ target_relation }} as old
    inner join {{ target_relation.identifier }}_new as new on {{ same_key('old', 'new', keys) }}
    where not ({{ same_key('old', 'new', usage_key_columns()) }});
    {%- endif %}
    delete from {{ target_relation }} using (
    {{ affected_keys(target_relation.identifier, keys) }}
    ) as affected
    where {{ same_key(target_relation, 'affected', keys) }};
    insert into {{ target_relation }} ({{ columns }}) select {{ columns }} from (
    {{ new_rows }}
    ) as made;
    update {{ source('meta', 'mart_watermarks') }}
    set
        load_seq = (
            select coalesce(max(_load_seq), -1) from {{ ref(config.get('follows') or 'stg_usage_events') }}
        ),
        refreshed_at = {{ utc_now() }}
    where mart_name = '{{ target_relation.identifier }}';
    {{ end_script() }}
{% endmacro %}


{#- dbt has opened a transaction on DuckDB; on Snowflake, where making a table would end it, it is opened here. -#}
{% macro begin_script() %}{{ return(adapter.dispatch('begin_script', 'millrace')()) }}{% endmacro %}
{% macro default__begin_script() %}{% endmacro %}
{% macro snowflake__begin_script() %}begin;{% endmacro %}
{% macro end_script() %}{{ return(adapter.dispatch('end_script', 'millrace')()) }}{% endmacro %}
{% macro default__end_script() %}{% endmacro %}
{% macro snowflake__end_script() %}commit;{% endmacro %}
