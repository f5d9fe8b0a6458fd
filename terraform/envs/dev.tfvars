# Cheap: one run a day, nothing runs between them, mistakes can be undone for a week.
developers                  = 50
interval_hours              = 24
snowflake_credits_per_month = 60
snowflake_retention_days    = 7
soft_delete_days            = 7
