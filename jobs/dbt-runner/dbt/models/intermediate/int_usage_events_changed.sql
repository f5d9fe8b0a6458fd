with changed as (
    select distinct
        agent,
        message_id,
        request_id
    from {{ ref('stg_usage_events') }}
    where _load_seq > {{ followed_through('usage_events') }}
),

-- A collector's row whose instant moved to another month is stored in both months: the newer one counts.
newest as (
    select staged.*
    from {{ ref('stg_usage_events') }} as staged
    inner join changed on {{ same_key('staged', 'changed', ['agent', 'message_id', 'request_id']) }}
    qualify row_number() over (
        partition by staged.agent, staged.message_id, staged.request_id, staged.collector_id
        order by staged.extracted_at desc nulls last, staged.occurred_at desc nulls last
    ) = 1
),

-- Unusable rows are ordered last and left out below: a filter above would read every event.
versions as (
    select
        *,
        coalesce(is_estimated, false) as is_guess,
        {{ count_where('is_usable and not coalesce(is_estimated, false)') }}
            over (partition by agent, message_id, request_id)
            as counted,
        max(_load_seq) over (partition by agent, message_id, request_id) as changed_in,
        row_number() over (
            partition by agent, message_id, request_id
            order by
                is_usable desc,
                occurred_at asc,
                session_id asc,
                coalesce(project, '') asc,
                case when repository is null then 1 else 0 end asc,
                repository asc,
                collector_id asc
        ) as place
    from newest
),

-- Counted tokens replace those that were estimated.
kept as (
    select
        *,
        counted > 0 and is_guess as is_replaced
    from versions
    where is_usable
),

merged as (
    select
        agent,
        message_id,
        request_id,
        {%- for name in ['session_id', 'occurred_at', 'project', 'repository', 'user_id'] %}
            max(case when place = 1 then {{ name }} end) as {{ name }},
        {%- endfor %}
        {%- for name in ['role', 'provider', 'model', 'speed', 'region'] %}
            min({{ name }}) as {{ name }},
        {%- endfor %}
        {{ count_where('not is_guess') }} = 0 as is_estimated,
        {%- for kind in token_kinds() %}
            max(case when not is_replaced then {{ kind }} end) as {{ kind }},
        {%- endfor %}
        max(
            case
                when not is_replaced
                    then coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
            end
        ) as cache_write_tokens,
        max(reported_cost_usd) as reported_cost_usd,
        max(web_searches) as web_searches,
        {{ count_where('not is_replaced and not coalesce(is_lower_bound, false)') }} = 0 as is_lower_bound,
        max(changed_in) as _load_seq
    from kept
    group by agent, message_id, request_id
),

-- Of what was written to a cache, the longest known part is for an hour.
final as (
    select
        {{ event_id() }} as event_id,
        agent,
        session_id,
        message_id,
        request_id,
        role,
        occurred_at,
        user_id,
        project,
        repository,
        provider,
        model,
        speed,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        case
            when cache_write_5m_tokens is not null
                then cache_write_tokens - coalesce(cache_write_1h_tokens, 0)
        end as cache_write_5m_tokens,
        cache_write_1h_tokens,
        reasoning_tokens,
        is_estimated,
        reported_cost_usd,
        region,
        web_searches,
        is_lower_bound,
        _load_seq
    from merged
)

select * from final
