locals {
  snowflake_name = var.snowflake_prefix == "" ? "MILLRACE" : "MILLRACE_${upper(var.snowflake_prefix)}"
}

module "snowflake" {
  source = "./modules/snowflake"

  account           = var.snowflake_account
  bucket            = local.lake
  bucket_looker     = local.bucket_looker
  credits_per_month = var.snowflake_credits_per_month
  delete_data       = var.delete_data
  edition           = var.snowflake_edition
  host              = var.snowflake_host
  keys              = var.snowflake_keys
  name              = local.snowflake_name
  network_policy    = var.snowflake_network_policy
  retention_days    = var.snowflake_retention_days
  subjects = {
    API     = module.api.account_subject
    BUILDER = module.dbt_runner.account_subject
    LOADER  = module.load.account_subject
    SWEEPER = module.sweep.account_subject
  }
  writers = local.writers
}

# The warehouse of each user: its address, and the setting of a user that signs in by a key. Nothing else here refers to
# Snowflake, so another warehouse is another value.
locals {
  warehouse = { for user in ["API", "BUILDER", "LOADER", "SWEEPER"] : user => {
    address = module.snowflake.addresses[user]
    secrets = {
      for key in try([var.snowflake_keys[user]], []) : "MILLRACE_SNOWFLAKE_KEY" => { id = key.secret, version = key.version }
    }
  } }
}
