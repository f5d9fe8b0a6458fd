{{ config(group='delivery') }}
-- A merged pull request is in each mart exactly once: a row lost between two layers fails this test.
with counted as (
    select
        (select count(*) from {{ ref('stg_pull_requests') }}) as pull_requests,
        (
            select count(*)
            from {{ ref('stg_github_pull_requests') }} as github_pull_requests
            inner join {{ ref('int_github_repositories_owned') }} as github_repositories
                on
                    github_pull_requests.account = github_repositories.account
                    and github_pull_requests.repo_id = github_repositories.repo_id
        ) as github_pull_requests,
        (select count(*) from {{ ref('int_pull_requests_measured') }}) as measured,
        (select {{ count_where('is_merged') }} from {{ ref('int_pull_requests_measured') }}) as merged,
        (select count(*) from {{ ref('merged_pull_requests') }}) as merged_pull_requests,
        (select coalesce(sum(total_prs), 0) from {{ ref('velocity') }}) as velocity,
        (select coalesce(sum(total_prs), 0) from {{ ref('developer_velocity') }}) as developer_velocity,
        (select coalesce(sum(total_prs), 0) from {{ ref('review_costs') }}) as review_costs,
        (select coalesce(sum(total_prs), 0) from {{ ref('quality') }}) as quality,
        (select coalesce(sum(pr_count), 0) from {{ ref('ai_impact') }}) as ai_impact
)

select * from counted
where
    measured <> pull_requests + github_pull_requests
    or merged_pull_requests <> merged
    or velocity <> merged
    or developer_velocity <> merged
    or review_costs <> merged
    or quality <> merged
    or ai_impact <> merged
