with listed as (
    select * from {{ ref('int_github_commits_listed') }}
),

ai_commits as (
    select * from {{ ref('int_github_ai_commits_joined') }}
),

-- A rebase or an amendment keeps author and time of writing: commits with the same of both are one change.
changes as (
    select
        listed.source,
        listed.account,
        listed.pull_request_key,
        listed.repo_id,
        listed.number,
        listed.commit_hash,
        listed.role,
        listed.committed_at,
        ai_commits.ai_lines_added,
        case when listed.authored_at is not null then nullif(listed.author_email, '') end as change_email,
        case when nullif(listed.author_email, '') is not null then listed.authored_at end as change_at,
        case
            when nullif(listed.author_email, '') is null or listed.authored_at is null then listed.commit_hash
        end as change_hash,
        row_number() over (
            partition by listed.source, listed.account, listed.pull_request_key, listed.commit_hash
            order by case listed.role when 'branch' then 1 when 'before_force_push' then 2 else 3 end
        ) as place_of_role
    from listed
    left join ai_commits
        on
            listed.account = ai_commits.account
            and listed.repo_id = ai_commits.repo_id
            and listed.commit_hash = ai_commits.commit_hash
),

counted as (
    select
        *,
        count(case when role = 'branch' then 1 end) over (
            partition by source, account, pull_request_key, change_email, change_at, change_hash
        ) as in_branch,
        count(case when role = 'branch' and ai_lines_added is not null then 1 end) over (
            partition by source, account, pull_request_key, change_email, change_at, change_hash
        ) as matched_in_branch,
        row_number() over (
            partition by source, account, pull_request_key, role, change_email, change_at, change_hash
            order by
                case when ai_lines_added is null then 1 else 0 end asc,
                committed_at desc nulls last,
                commit_hash desc nulls last
        ) as place_in_change
    from changes
    where place_of_role = 1
),

-- 1: changes that are in the branch; 2: those that a force push took out of it; 3: the merge.
candidates as (
    select
        source,
        account,
        pull_request_key,
        role,
        ai_lines_added,
        in_branch,
        case
            when role = 'branch' or (role = 'before_force_push' and in_branch > 0) then 1
            when role = 'before_force_push' then 2
            else 3
        end as step
    from counted
    where
        ai_lines_added is not null
        and (role <> 'before_force_push' or (matched_in_branch = 0 and place_in_change = 1))
),

first_steps as (
    select
        source,
        account,
        pull_request_key,
        min(step) as step
    from candidates
    group by source, account, pull_request_key
),

matched as (
    select
        candidates.source,
        candidates.account,
        candidates.pull_request_key,
        min(candidates.step) as step,
        max(candidates.in_branch) as in_branch,
        count(case when candidates.role = 'branch' then 1 end) as matched_branch_commits,
        count(*) as matched_commits,
        sum(candidates.ai_lines_added) as ai_lines
    from candidates
    inner join first_steps
        on
            candidates.source = first_steps.source
            and candidates.account = first_steps.account
            and candidates.pull_request_key = first_steps.pull_request_key
            and candidates.step = first_steps.step
    group by candidates.source, candidates.account, candidates.pull_request_key
),

pull_requests as (
    select
        source,
        account,
        pull_request_key,
        min(repo_id) as repo_id,
        min(number) as number,
        count(case when role = 'branch' then 1 end) as branch_commit_count
    from listed
    group by source, account, pull_request_key
),

joined as (
    select
        pull_requests.*,
        case
            when matched.step = 3 then 'merge'
            when matched.matched_branch_commits > 0 then 'branch'
            when matched.step is not null then 'before_force_push'
        end as ai_matched_role,
        coalesce(matched.matched_commits, 0) as ai_matched_commit_count,
        -- A merge commit has all lines, but by a rebase it is a commit of the branch.
        case
            when matched.step = 3 and matched.in_branch = 0 then 1 else pull_requests.branch_commit_count
        end as matchable_commits,
        matched.ai_lines
    from pull_requests
    left join matched
        on
            pull_requests.source = matched.source
            and pull_requests.account = matched.account
            and pull_requests.pull_request_key = matched.pull_request_key
),

shares as (
    select
        *,
        {{ ratio('ai_matched_commit_count', 'matchable_commits') }} as matched_share
    from joined
),

bounded as (
    select
        *,
        cast({{ within_0_and_1('matched_share') }} as double) as ai_matched_commit_share
    from shares
),

final as (
    select
        source,
        account,
        pull_request_key,
        repo_id,
        number,
        branch_commit_count,
        ai_matched_role,
        ai_matched_commit_count,
        ai_matched_commit_share,
        case
            when ai_matched_commit_share >= cast({{ var('ai_matched_share_minimum') }} as double)
                then ai_lines
        end as ai_lines_added
    from bounded
)

select * from final
