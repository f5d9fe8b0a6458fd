with repos as (
    select * from {{ source('raw', 'repos') }}
),

final as (
    select
        cast(full_name as varchar) as repo_name,
        cast(split_part(full_name, '/', 1) as varchar) as owner_name,
        cast(split_part(full_name, '/', 2) as varchar) as short_name,
        cast(default_branch as varchar) as default_branch,

        cast(open_pull_requests_count as bigint) as open_pull_request_count,
        cast(total_pull_requests_count as bigint) as total_pull_request_count,

        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from repos
)

select * from final
