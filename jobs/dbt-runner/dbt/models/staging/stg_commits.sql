with commits as (
    select * from {{ source('raw', 'commits') }}
),

final as (
    select
        cast(commithash as varchar) as commit_hash,
        cast(reponame as varchar) as repo_name,
        cast(userid as varchar) as user_id,
        cast(useremail as varchar) as user_email,
        cast(username as varchar) as user_name,
        cast(branchname as varchar) as branch_name,
        cast(isprimarybranch as boolean) as is_primary_branch,
        cast(message as varchar) as message,

        cast(totallinesadded as bigint) as total_lines_added,
        cast(totallinesdeleted as bigint) as total_lines_deleted,
        cast(tablinesadded as bigint) as tab_lines_added,
        cast(tablinesdeleted as bigint) as tab_lines_deleted,
        cast(composerlinesadded as bigint) as composer_lines_added,
        cast(composerlinesdeleted as bigint) as composer_lines_deleted,
        cast(nonailinesadded as bigint) as non_ai_lines_added,
        cast(nonailinesdeleted as bigint) as non_ai_lines_deleted,
        {{ instants_before_1990(['committs']) }} as instants_before_1990,

        {{ happened_at('committs') }} as commit_ts,
        cast(createdat as datetime) as created_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from commits
)

select * from final
