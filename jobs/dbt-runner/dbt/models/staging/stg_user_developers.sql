with user_developers as (
    select * from {{ source('raw', 'user_developers') }}
),

-- The newest row of a user in any letter case, a row without a developer included: it takes earlier ones back.
newest as (
    select *
    from user_developers
    qualify row_number() over (
        partition by lower(trim(user_id))
        order by _extracted_at desc nulls last, _load_seq desc nulls last, user_id asc
    ) = 1
),

final as (
    select
        cast(lower(trim(user_id)) as varchar) as user_id,
        cast(nullif(trim(developer), '') as varchar) as developer,
        cast(coalesce(trim(user_id) <> '', false) as boolean) as is_usable,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_load_seq as bigint) as _load_seq
    from newest
)

select * from final
