with pull_requests as (
    select * from {{ ref('stg_github_pull_requests') }}
),

reverts as (
    select * from {{ ref('int_github_reverts_found') }}
),

labels as (
    {{ select_unnested('pull_requests', ['account', 'repo_id', 'number'], 'labels', 'label') }}
),

bug_fixes as (
    select distinct
        account,
        repo_id,
        number
    from labels
    where lower(trim(label)) in (
        {%- for label in var('bug_fix_labels') %}
        '{{ label | lower | replace("'", "''") }}'{{ ',' if not loop.last }}
        {%- else %}
        null
        {%- endfor %}
    )
),

final as (
    select
        'github' as source,
        pull_requests.account,
        {{ pull_request_key('pull_requests.repo_id', 'pull_requests.number') }} as pull_request_key,
        pull_requests.repo_id,
        pull_requests.number,
        -- Where titles are not read, neither are headlines: most reverts cannot be seen.
        case
            when reverts.revert_how is not null then true
            when pull_requests.title is not null then false
        end as is_reverted,
        reverts.revert_how,
        reverts.reverted_by_number,
        case when pull_requests.labels is not null then bug_fixes.number is not null end as is_bug_fix
    from pull_requests
    left join reverts
        on
            pull_requests.account = reverts.account
            and pull_requests.repo_id = reverts.repo_id
            and pull_requests.number = reverts.number
    left join bug_fixes
        on
            pull_requests.account = bug_fixes.account
            and pull_requests.repo_id = bug_fixes.repo_id
            and pull_requests.number = bug_fixes.number
)

select * from final
