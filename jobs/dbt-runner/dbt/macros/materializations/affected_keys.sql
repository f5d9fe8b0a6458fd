{#-
  A table that follows the changes of its input: for each key that a change since the mart's watermark affects, all rows
  are deleted and built again. So the table always equals the result of a build from the beginning.

  The model's SQL reads `affected_events`, and needs no other branch: before the first build the watermark is -1, and
  every key is affected. Table and watermark change in one transaction. When the definition changes (the SQL, the model
  it follows, a seed or view that `rebuilt_with` names, a loaded row of the view `rebuilt_with_rows_of`), or with
  --full-refresh, the watermark returns to -1.

  Everything that depends on data is in the statement `main`. dbt writes it to target/run, and it can be run again from
  there as it is, over an open connection (millrace.build.refresh does).

  Wherever a refresh stops, the next one repairs it: the keys that events leave are recorded first and the watermark is
  moved last. That also holds if only a part of it is committed, as may happen on Snowflake: a failed statement leaves
  the transaction open there, dbt keeps the session, and the next table that it creates in it commits the open changes.

  Config: `keys` name the rows that change together; `follows` is the model whose changes it follows, itself one of this
  kind (none: raw events); `rebuilt_with` are other nodes; `rebuilt_with_rows_of` is a view with `_load_seq`; `is_fact`: the keys that an event leaves are recorded for the
  marts.
-#}
{% materialization affected_keys, default %}
    {% if var('from_all_events') %}
        {% do exceptions.raise_compiler_error('with from_all_events a mart can be compiled, and not be built') %}
    {% endif %}
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


{#- The definition of the mart, apart from the events. -#}
{% macro mart_definition(sql) %}
    {%- set parts = [sql] -%}
    {%- for node in config.get('rebuilt_with', []) -%}
        {%- do parts.append(graph.nodes[node].checksum.checksum) -%}
    {%- endfor -%}
    {%- if config.get('rebuilt_with_rows_of') -%}
        {%- do parts.append(version_of_rows(ref(config.get('rebuilt_with_rows_of')))) -%}
    {%- endif -%}
    {%- if config.get('follows') -%}
        {%- do parts.append(stored_definition(config.get('follows'))) -%}
    {%- endif -%}
    {{ return(local_md5(parts | join(';'))) }}
{% endmacro %}


{#- A text that differs after any change of the loaded rows in a relation: a new or changed row has the largest number. -#}
{% macro version_of_rows(relation) %}
    {%- set found = run_query(
        "select cast(count(_load_seq) as varchar) || ':' || cast(coalesce(max(_load_seq), 0) as varchar) from " ~ relation
    ) -%}
    {{ return(found.rows[0][0]) }}
{% endmacro %}


{% macro stored_definition(mart) %}
    {%- set found = run_query(
        "select definition from " ~ source('meta', 'mart_watermarks') ~ " where mart_name = '" ~ mart ~ "'"
    ) -%}
    {{ return(found.rows[0][0] if found.rows else '') }}
{% endmacro %}


{#-
  An empty table, and a watermark before all changes: first the watermark, so that no empty table is taken as current.
  With a fact, the watermarks of the marts that follow it are deleted too: the keys of its events are lost with its
  rows, so those marts are built again. With each watermark those of its copy and of its tests are deleted.
-#}
{% macro make_anew(existing, target_relation, definition) %}
    {%- set watermarks = source('meta', 'mart_watermarks') -%}
    {%- set marts = [target_relation.identifier] -%}
    {%- for node in graph.nodes.values() if node.config.get('follows') == target_relation.identifier -%}
        {%- do marts.append(node.name) -%}
    {%- endfor -%}
    {%- set forgotten = [] -%}
    {%- for mart in marts -%}
        {%- do forgotten.extend([mart, 'published.' ~ mart, 'tested.' ~ mart]) -%}
    {%- endfor -%}
    {% call statement('forget') -%}
        delete from {{ watermarks }} where mart_name in ('{{ forgotten | join("', '") }}')
    {%- endcall %}
    {% if existing is not none %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('make') -%}
        {{ create_table() }} {{ target_relation }} {{ get_table_columns_and_constraints() }}
    {%- endcall %}
    {% call statement('note') -%}
        insert into {{ watermarks }} (mart_name, load_seq, definition, mart_keys)
        values ('{{ target_relation.identifier }}', -1, '{{ definition }}', '{{ config.get('keys') | join(',') }}')
    {%- endcall %}
{% endmacro %}


{#- A mart can be made again, so Snowflake need not keep what it was: no Fail-safe. -#}
{% macro create_table() %}{{ return(adapter.dispatch('create_table', 'millrace')()) }}{% endmacro %}
{% macro default__create_table() %}create table{% endmacro %}
{% macro snowflake__create_table() %}create transient table{% endmacro %}


{#-
  On Snowflake each statement reads what was committed before it began, also within a transaction, and a load may be
  committed between any two. So the affected keys of a refresh of the fact are read once, into a table: those keys are
  deleted where the fact has them, those alone are built again, and the watermark moves to the newest change among them.
  Later changes belong to the next refresh, even where the new rows contain them already. A mart that follows takes over
  the fact's watermark: only dbt changes the fact.

  A builder that was taken for dead may still be at work. Of two refreshes of one mart the second waits at the first
  statement of its transaction, for the mart's row of mart_watermarks. What it then reads is what the first committed.
  That is enough for a mart that follows. The tables of a refresh of the fact are older than its transaction, so it
  fails if the watermark is no longer the one that they were made from.

  Snowflake locks rows of mart_watermarks together, so refreshes of different marts wait for each other too, one after
  the other; a deadlock is not possible, because it is the first lock of all of them. On DuckDB the second of two
  overlapping transactions fails, because both change that row.

  The fact is searched for old rows once, because that is the only step that reads all of it. Its rows are written in
  the order of time, so that a query for the events of a day need not read those of other years.
-#}
{% macro refresh_script(target_relation, sql) %}
    {%- set mart, keys = target_relation.identifier, config.get('keys') -%}
    {%- set columns = model.columns.keys() | join(', ') -%}
    {%- set watermarks = source('meta', 'mart_watermarks') -%}
    {%- set old_columns = keys + usage_key_columns() -%}
    {%- if config.get('is_fact') -%}
    create or replace temporary table {{ mart }}_affected as
    select
        changed.*,
        {{ followed_through(mart) }} as refreshed_through
    from (
    {{ affected_keys(mart, keys) }}
    ) as changed;
    create or replace temporary table {{ mart }}_new as
    {{ sql }};
    create or replace temporary table {{ mart }}_old as
    select
        {% for column in old_columns %}old.{{ column }}, {% endfor %}affected.load_seq
    from {{ target_relation }} as old
    inner join {{ mart }}_affected as affected on {{ same_key('old', 'affected', keys) }};
    {%- endif %}
    {{ begin_script(mart, config.get('is_fact')) }}
    {%- if config.get('is_fact') %}
    insert into {{ source('meta', 'usage_old_keys') }} ({{ old_columns | join(', ') }}, load_seq)
    select
        {% for column in old_columns %}old.{{ column }}, {% endfor %}old.load_seq
    from {{ mart }}_old as old
    left join {{ mart }}_new as new on {{ same_key('old', 'new', keys) }}
    where
        new.{{ keys[0] }} is null
        or not ({{ same_key('old', 'new', usage_key_columns()) }});
    delete from {{ target_relation }} using {{ mart }}_old as old
    where {{ same_key(target_relation, 'old', keys) }};
    insert into {{ target_relation }} ({{ columns }})
    select {% for column in model.columns %}new.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ mart }}_new as new
    inner join {{ mart }}_affected as affected on {{ same_key('new', 'affected', keys) }}
    order by new.occurred_at asc;
    {%- else %}
    delete from {{ target_relation }} using (
    {{ affected_keys(mart, keys) }}
    ) as affected
    where {{ same_key(target_relation, 'affected', keys) }};
    insert into {{ target_relation }} ({{ columns }}) select {{ columns }} from (
    {{ sql }}
    ) as made;
    {%- endif %}
    update {{ watermarks }} as followed
    set
        load_seq = coalesce(newest.load_seq, followed.load_seq),
        mart_keys = '{{ keys | join(',') }}',
        refreshed_at = {{ utc_now() }}
    from (
        {%- if config.get('is_fact') %}
        select max(load_seq) as load_seq from {{ mart }}_affected
        {%- else %}
        select max(load_seq) as load_seq from {{ watermarks }} where mart_name = '{{ config.get('follows') }}'
        {%- endif %}
    ) as newest
    where followed.mart_name = '{{ mart }}';
    {{ end_script() }}
{% endmacro %}


{#-
  dbt has opened a transaction on DuckDB. On Snowflake it opens none, and each statement is committed by itself;
  creating a table, even a temporary one, commits what is open. So the transaction is opened here, after that. dbt sends
  the statements of the script one by one, and its own commit does nothing there.

  The text that is no number is in the error that Snowflake gives for it.
-#}
{% macro begin_script(mart, is_fact) %}{{ return(adapter.dispatch('begin_script', 'millrace')(mart, is_fact)) }}{% endmacro %}
{% macro default__begin_script(mart, is_fact) %}{% endmacro %}
{% macro snowflake__begin_script(mart, is_fact) -%}
    begin;
    update {{ source('meta', 'mart_watermarks') }} set refreshed_at = {{ utc_now() }} where mart_name = '{{ mart }}';
    {%- if is_fact %}
    select cast(
        case
            when count(*) > 0 then 'another build refreshed {{ mart }} meanwhile: build again'
            else '0'
        end as integer
    ) as is_refreshed
    from {{ mart }}_affected
    where refreshed_through <> {{ followed_through(mart) }};
    {%- endif %}
{%- endmacro %}
{% macro end_script() %}{{ return(adapter.dispatch('end_script', 'millrace')()) }}{% endmacro %}
{% macro default__end_script() %}{% endmacro %}
{% macro snowflake__end_script() %}commit;{% endmacro %}
