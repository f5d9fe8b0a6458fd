with project_repositories as (
    select * from {{ source('raw', 'project_repositories') }}
),

-- The newest row of a project in any letter case, a row without a repository included: it takes earlier ones back.
newest as (
    select *
    from project_repositories
    qualify row_number() over (
        partition by lower(trim(project))
        order by _extracted_at desc nulls last, _load_seq desc nulls last, project asc
    ) = 1
),

final as (
    select
        cast(lower(trim(project)) as varchar) as project_pattern,
        cast(nullif(trim(repo_name), '') as varchar) as repo_name,
        cast(contains(project, '*') as boolean) as has_wildcard,
        cast(coalesce(trim(project) <> '', false) as boolean) as is_usable,
        cast(_extracted_at as datetime) as extracted_at,
        cast(_load_seq as bigint) as _load_seq
    from newest
)

select * from final
