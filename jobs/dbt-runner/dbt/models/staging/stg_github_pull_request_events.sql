with github_pull_request_events as (
    select * from {{ source('raw', 'github_pull_request_events') }}
),

final as (
    select
        cast(github_pull_request_events.account as varchar) as account,
        cast(github_pull_request_events.repo_id as bigint) as repo_id,
        cast(github_pull_request_events.number as bigint) as number,
        cast(github_pull_request_events.event_id as varchar) as event_id,
        cast(github_pull_request_events.kind as varchar) as kind,
        cast(github_pull_request_events.actor as varchar) as actor,
        cast(github_pull_request_events.subject as varchar) as subject,
        cast(github_pull_request_events.before_sha as varchar) as before_sha,
        cast(github_pull_request_events.after_sha as varchar) as after_sha,

        {{ instants_before_1990(['github_pull_request_events.at']) }} as instants_before_1990,

        {{ happened_at('github_pull_request_events.at') }} as occurred_at,
        cast(github_pull_request_events.pr_updated_at as datetime) as pull_request_updated_at,
        cast(github_pull_request_events._extracted_at as datetime) as extracted_at,
        cast(github_pull_request_events._run_id as varchar) as run_id,
        cast(github_pull_request_events._load_seq as bigint) as load_seq
    from github_pull_request_events
)

select * from final
