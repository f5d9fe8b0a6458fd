module "snowflake" {
  source = "./modules/snowflake"

  account           = var.snowflake_account
  bucket            = local.lake
  bucket_looker     = local.bucket_looker
  credits_per_month = var.snowflake_credits_per_month
  delete_data       = var.delete_data
  edition           = var.snowflake_edition
  keys              = var.snowflake_keys
  retention_days    = var.snowflake_retention_days
  subjects = {
    API     = module.api.account_subject
    BUILDER = module.dbt_runner.account_subject
    LOADER  = module.load.account_subject
    SWEEPER = module.sweep.account_subject
  }
}

# The setting of the users that sign in by a key.
locals {
  snowflake_secrets = { for user in ["API", "BUILDER", "LOADER", "SWEEPER"] : user => {
    for key in try([var.snowflake_keys[user]], []) : "MILLRACE_SNOWFLAKE_KEY" => { id = key.secret, version = key.version }
  } }
}
