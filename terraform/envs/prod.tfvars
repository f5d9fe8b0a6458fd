# Safe: hourly, mistakes can be undone for a month, and alerts reach people. Keys and network of the company:
# kms_key       = "projects/P/locations/L/keyRings/R/cryptoKeys/K"
# vpc_connector = "projects/P/locations/L/connectors/C"
alert_emails                = ["data-oncall@example.com"]
api_readers                 = ["group:analysts@example.com"]
collectors                  = ["group:developers@example.com"]
delete_data                 = false
developers                  = 1000
interval_hours              = 1
snowflake_credits_per_month = 150
snowflake_retention_days    = 30
soft_delete_days            = 30
