with identities as (
    select * from {{ source('raw', 'identities') }}
),

final as (
    select
        cast(system as varchar) as system,
        cast(account as varchar) as account,
        cast(account_id as varchar) as account_name,
        cast(email as varchar) as email,
        cast(name as varchar) as name,
        cast(seen_in as varchar) as seen_in,

        cast(seen_at as datetime) as seen_at,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_run_id as varchar) as run_id,
        cast(_load_seq as bigint) as load_seq
    from identities
)

select * from final
