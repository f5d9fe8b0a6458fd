with reviews as (
    select * from {{ source('raw', 'reviews') }}
),

final as (
    select
        cast(pr_id as bigint) as pull_request_id,
        cast(id as bigint) as review_id,
        cast(reviewer as varchar) as reviewer,
        cast(state as varchar) as state,
        cast(body as varchar) as body,

        {{ json_array_size('comments') }} as comment_count,
        {{ instants_before_1990(['submitted_at']) }} as instants_before_1990,

        {{ happened_at('submitted_at') }} as submitted_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from reviews
)

select * from final
