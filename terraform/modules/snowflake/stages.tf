# The stages that loads read from: the lake's raw/, and dropped files after conversion.
resource "snowflake_storage_integration" "lake" {
  name                      = "MILLRACE_LAKE"
  type                      = "EXTERNAL_STAGE"
  storage_provider          = "GCS"
  storage_allowed_locations = [local.raw]
  enabled                   = true
}

locals {
  raw = "gcs://${var.bucket}/raw/"
}

# The Google account that Snowflake reads with, which exists once the integration does.
module "storage" {
  source = "../storage_rights"

  member = "serviceAccount:${snowflake_storage_integration.lake.storage_gcp_service_account}"
  rights = {
    look-at-lake = { bucket = var.bucket, role = var.bucket_looker }
    read-raw     = { bucket = var.bucket, role = "roles/storage.objectViewer", prefix = "raw/" }
  }
}

resource "snowflake_stage" "lake" {
  database            = snowflake_database.this.name
  schema              = snowflake_schema.this["META"].name
  name                = "LAKE"
  url                 = local.raw
  storage_integration = snowflake_storage_integration.lake.name
}

resource "snowflake_stage" "drops" {
  database = snowflake_database.this.name
  schema   = snowflake_schema.this["META"].name
  name     = "DROPS"
}

# The provider's own resource has no argument for logical types such as timestamps.
resource "snowflake_execute" "parquet" {
  execute = "CREATE FILE FORMAT IF NOT EXISTS ${local.meta_schema}.PARQUET TYPE = PARQUET USE_LOGICAL_TYPE = TRUE"
  revert  = "DROP FILE FORMAT IF EXISTS ${local.meta_schema}.PARQUET"
}
