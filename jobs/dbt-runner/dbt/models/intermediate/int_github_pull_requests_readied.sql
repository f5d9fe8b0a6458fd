with pull_requests as (
    select * from {{ ref('int_pull_requests_united') }}
    where source = 'github'
),

events as (
    select * from {{ ref('stg_github_pull_request_events') }}
),

reviews as (
    select * from {{ ref('int_reviews_counted') }}
),

dated as (
    select
        *,
        max(pull_request_updated_at) over (
            partition by account, repo_id, number
        ) as newest_updated_at
    from events
),

-- Each reading of a pull request lists all of its events.
of_drafts as (
    select
        account,
        {{ pull_request_key('repo_id', 'number') }} as pull_request_key,
        kind,
        occurred_at
    from dated
    where
        kind in ('ready_for_review', 'convert_to_draft')
        and (
            newest_updated_at is null
            or pull_request_updated_at = newest_updated_at
        )
),

final as (
    select
        pull_requests.source,
        pull_requests.account,
        pull_requests.pull_request_key,
        coalesce(
            max(
                case
                    when
                        of_drafts.kind = 'ready_for_review'
                        and coalesce(of_drafts.occurred_at <= reviews.first_review_at, true)
                        then of_drafts.occurred_at
                end
            ),
            max(
                case
                    when of_drafts.kind is null and not pull_requests.is_draft then pull_requests.created_at
                end
            )
        ) as ready_at
    from pull_requests
    left join of_drafts
        on
            pull_requests.account = of_drafts.account
            and pull_requests.pull_request_key = of_drafts.pull_request_key
    left join reviews
        on
            pull_requests.source = reviews.source
            and pull_requests.account = reviews.account
            and pull_requests.pull_request_key = reviews.pull_request_key
    group by pull_requests.source, pull_requests.account, pull_requests.pull_request_key
)

select * from final
