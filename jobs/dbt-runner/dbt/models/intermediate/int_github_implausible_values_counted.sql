with github_pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
),

github_reviews as (
    select * from {{ ref('stg_github_reviews') }}
),

github_commits as (
    select * from {{ ref('stg_github_commits') }}
),

github_pull_request_events as (
    select * from {{ ref('stg_github_pull_request_events') }}
),

found as (
    select
        account,
        'github_pull_requests' as table_name,
        instants_before_1990 as value_count
    from github_pull_requests
    union all
    select
        account,
        'github_reviews' as table_name,
        instants_before_1990 as value_count
    from github_reviews
    union all
    select
        account,
        'github_commits' as table_name,
        instants_before_1990 as value_count
    from github_commits
    union all
    select
        account,
        'github_pull_request_events' as table_name,
        instants_before_1990 as value_count
    from github_pull_request_events
),

final as (
    select
        'github' as source,
        account,
        table_name,
        'before_1990' as reason,
        count(*) as row_count,
        sum(value_count) as value_count
    from found
    where value_count > 0
    group by account, table_name
)

select * from final
