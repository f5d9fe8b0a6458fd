with reports as (
    select * from {{ ref('int_ai_commits_deduplicated') }}
),

pull_request_commits as (
    select * from {{ ref('int_github_commits_listed') }}
),

commits as (
    select * from {{ ref('stg_github_commits') }}
),

repos as (
    select * from {{ ref('stg_github_repos') }}
),

named as (
    select
        lower(trim(commit_hash)) as commit_hash,
        regexp_replace(lower(trim(repo_name)), '[.]git$', '') as repository,
        ai_lines_added,
        reported_at
    from reports
    where ai_lines_added is not null
),

-- A whole hash says which commit it is, whatever the repository is called, and in each fork.
whole as (
    select
        commit_hash,
        ai_lines_added,
        row_number() over (
            partition by commit_hash
            order by reported_at desc nulls last, ai_lines_added desc nulls last
        ) as place
    from named
    where {{ full_match('commit_hash', "'[0-9a-f]{40}'") }}
),

shortened as (
    select
        repository,
        commit_hash as short_hash,
        ai_lines_added,
        reported_at
    from named
    where
        repository is not null
        and {{ full_match('commit_hash', "'[0-9a-f]{7,39}'") }}
),

known_commits as (
    select
        account,
        repo_id,
        commit_hash
    from commits
    union
    select
        account,
        repo_id,
        commit_hash
    from pull_request_commits
),

of_repositories as (
    select distinct
        known_commits.account,
        known_commits.repo_id,
        known_commits.commit_hash,
        lower(repos.repo_name) as repository
    from known_commits
    inner join repos
        on
            known_commits.account = repos.account
            and known_commits.repo_id = repos.repo_id
),

-- The equality of seven characters lets an engine join by a hash table; the text has no wildcard.
meant as (
    select
        shortened.repository,
        shortened.short_hash,
        min(of_repositories.commit_hash) as commit_hash
    from shortened
    inner join of_repositories
        on
            shortened.repository = of_repositories.repository
            and left(shortened.short_hash, 7) = left(of_repositories.commit_hash, 7)
            and of_repositories.commit_hash like shortened.short_hash || '%'
    group by shortened.repository, shortened.short_hash
    having count(distinct of_repositories.commit_hash) = 1
),

by_prefix as (
    select
        of_repositories.account,
        of_repositories.repo_id,
        of_repositories.commit_hash,
        shortened.ai_lines_added,
        row_number() over (
            partition by of_repositories.account, of_repositories.repo_id, of_repositories.commit_hash
            order by shortened.reported_at desc nulls last, shortened.ai_lines_added desc nulls last
        ) as place
    from meant
    inner join shortened
        on
            meant.repository = shortened.repository
            and meant.short_hash = shortened.short_hash
    inner join of_repositories
        on
            meant.repository = of_repositories.repository
            and meant.commit_hash = of_repositories.commit_hash
),

wanted as (
    select distinct
        account,
        repo_id,
        commit_hash
    from pull_request_commits
),

final as (
    select
        wanted.account,
        wanted.repo_id,
        wanted.commit_hash,
        coalesce(whole.ai_lines_added, by_prefix.ai_lines_added) as ai_lines_added
    from wanted
    left join whole
        on
            wanted.commit_hash = whole.commit_hash
            and whole.place = 1
    left join by_prefix
        on
            wanted.account = by_prefix.account
            and wanted.repo_id = by_prefix.repo_id
            and wanted.commit_hash = by_prefix.commit_hash
            and by_prefix.place = 1
    where coalesce(whole.ai_lines_added, by_prefix.ai_lines_added) is not null
)

select * from final
