{%- set reference = "'(.*[^a-z0-9])?reverts ([a-z0-9._-]+/[a-z0-9._-]+)#([0-9]+)([^0-9].*)?'" -%}

with pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
),

as_of as (
    select * from {{ ref('int_as_of_determined') }}
    where source = 'github'
),

repos as (
    select * from {{ ref('stg_github_repos') }}
),

commits as (
    select * from {{ ref('stg_github_commits') }}
),

pull_request_commits as (
    select * from {{ ref('stg_github_pull_request_commits') }}
),

listed as (
    select * from {{ ref('int_github_commits_listed') }}
),

merged as (
    select
        pull_requests.account,
        pull_requests.repo_id,
        pull_requests.number,
        pull_requests.title,
        pull_requests.created_at,
        pull_requests.merged_at,
        cast(pull_requests.number as varchar) as number_text,
        case
            when
                not coalesce(pull_requests.is_cross_repository, false)
                and {{ full_match('pull_requests.head_branch', "'revert-[0-9]+-.*'") }}
                then split_part(pull_requests.head_branch, '-', 2)
        end as number_in_branch,
        replace(replace(lower(pull_requests.body), chr(10), ' '), chr(13), ' ') as body_in_a_line
    from pull_requests
    inner join as_of on pull_requests.account = as_of.account
    where pull_requests.merged_at <= as_of.as_of
),

-- What a repository is called, and what it was called when its pull requests were read.
names as (
    select
        account,
        repo_id,
        lower(repo_name) as name
    from repos
    union distinct
    select
        account,
        repo_id,
        lower(repo_name) as name
    from pull_requests
),

-- In a replacement a backslash before a number means a group; the engines write it in different ways.
said as (
    select
        account,
        repo_id,
        number,
        merged_at,
        regexp_replace(body_in_a_line, {{ reference }}, chr(92) || '2') as name_in_body,
        regexp_replace(body_in_a_line, {{ reference }}, chr(92) || '3') as number_in_body
    from merged
    where {{ full_match('body_in_a_line', reference) }}
),

-- A body keeps the name of before a rename or a move. Where nothing was read under that name, one half of it
-- is still that of today.
by_body as (
    select distinct
        said.account,
        said.repo_id,
        said.number,
        said.merged_at,
        said.number_in_body as number_text
    from said
    left join repos as own
        on
            said.account = own.account
            and said.repo_id = own.repo_id
    left join names as own_names
        on
            said.account = own_names.account
            and said.repo_id = own_names.repo_id
            and said.name_in_body = own_names.name
    left join names as other_names
        on
            said.name_in_body = other_names.name
            and said.repo_id <> other_names.repo_id
    where
        own_names.name is not null
        or (
            other_names.name is null
            and (
                split_part(said.name_in_body, '/', 1) = split_part(lower(own.repo_name), '/', 1)
                or split_part(said.name_in_body, '/', 2) = split_part(lower(own.repo_name), '/', 2)
            )
        )
),

by_title as (
    select
        reverts.account,
        reverts.repo_id,
        reverts.number,
        min(reverts.merged_at) as merged_at,
        min(targets.number_text) as number_text
    from merged as reverts
    inner join merged as targets
        on
            reverts.account = targets.account
            and reverts.repo_id = targets.repo_id
            and reverts.title = 'Revert "' || targets.title || '"'
            and reverts.created_at >= targets.merged_at
    group by reverts.account, reverts.repo_id, reverts.number
    having count(*) = 1
),

-- Without the number that a squash appends to the headline of its commit.
revert_commits as (
    select
        account,
        repo_id,
        commit_hash,
        regexp_replace(headline, '" [(]#[0-9]+[)]$', '"') as headline
    from commits
    where headline like 'Revert "%'
),

numbered as (
    select
        account,
        repo_id,
        commit_hash,
        replace(regexp_replace(headline, '^Revert ".*[(]#', ''), ')"', '') as number_text
    from revert_commits
    where {{ full_match('headline', "'Revert \".*[(]#[0-9]+[)]\"'") }}
),

by_headline as (
    select
        numbered.account,
        numbered.repo_id,
        merged.number,
        merged.merged_at,
        numbered.number_text
    from numbered
    inner join listed
        on
            numbered.account = listed.account
            and numbered.repo_id = listed.repo_id
            and numbered.commit_hash = listed.commit_hash
            and listed.role <> 'before_force_push'
    inner join merged
        on
            listed.account = merged.account
            and listed.repo_id = merged.repo_id
            and listed.number = merged.number
),

-- Commits that no pull request ever had are those of the default branch.
by_default_branch as (
    select
        numbered.account,
        numbered.repo_id,
        numbered.number_text
    from numbered
    left join pull_request_commits
        on
            numbered.account = pull_request_commits.account
            and numbered.repo_id = pull_request_commits.repo_id
            and numbered.commit_hash = pull_request_commits.commit_hash
    where pull_request_commits.commit_hash is null
),

found as (
    select
        account,
        repo_id,
        number as reverted_by_number,
        merged_at as reverted_at,
        number_in_branch as number_text,
        'head_branch' as revert_how,
        1 as place_of_sign
    from merged
    where number_in_branch is not null
    union all
    select
        account,
        repo_id,
        number as reverted_by_number,
        merged_at as reverted_at,
        number_text,
        'title' as revert_how,
        2 as place_of_sign
    from by_title
    union all
    select
        account,
        repo_id,
        number as reverted_by_number,
        merged_at as reverted_at,
        number_text,
        'body' as revert_how,
        3 as place_of_sign
    from by_body
    union all
    select
        account,
        repo_id,
        number as reverted_by_number,
        merged_at as reverted_at,
        number_text,
        'headline' as revert_how,
        4 as place_of_sign
    from by_headline
    union all
    select
        account,
        repo_id,
        null as reverted_by_number,
        null as reverted_at,
        number_text,
        'headline' as revert_how,
        5 as place_of_sign
    from by_default_branch
),

ranked as (
    select
        merged.account,
        merged.repo_id,
        merged.number,
        found.reverted_by_number,
        found.revert_how,
        row_number() over (
            partition by merged.account, merged.repo_id, merged.number
            order by
                found.place_of_sign asc,
                found.reverted_at asc,
                found.reverted_by_number asc
        ) as place
    from merged
    inner join found
        on
            merged.account = found.account
            and merged.repo_id = found.repo_id
            and merged.number_text = found.number_text
    where
        found.reverted_by_number is null
        or (found.reverted_by_number <> merged.number and found.reverted_at >= merged.merged_at)
),

final as (
    select
        account,
        repo_id,
        number,
        reverted_by_number,
        revert_how
    from ranked
    where place = 1
)

select * from final
