with commits as (
    select * from {{ ref('stg_commits') }}
),

pull_requests as (
    select * from {{ ref('stg_pull_requests') }}
),

reviews as (
    select * from {{ ref('stg_reviews') }}
),

as_of as (
    select * from {{ ref('int_as_of_determined') }}
),

found as (
    select
        'commits' as table_name,
        'before_1990' as reason,
        instants_before_1990 as value_count
    from commits
    union all
    select
        'pull_requests' as table_name,
        'before_1990' as reason,
        instants_before_1990 as value_count
    from pull_requests
    union all
    select
        'pull_requests' as table_name,
        'ai_ratio_outside_0_and_1' as reason,
        ai_ratios_outside_0_and_1 as value_count
    from pull_requests
    union all
    select
        'reviews' as table_name,
        'before_1990' as reason,
        instants_before_1990 as value_count
    from reviews
),

final as (
    select
        as_of.source,
        as_of.account,
        found.table_name,
        found.reason,
        count(*) as row_count,
        sum(found.value_count) as value_count
    from found
    cross join as_of
    where
        as_of.source = 'cursor-sim'
        and found.value_count > 0
    group by as_of.source, as_of.account, found.table_name, found.reason
)

select * from final
