# The stages that loads read from: the lake's raw/, and dropped files after conversion.
resource "snowflake_storage_integration" "lake" {
  name                      = "${var.name}_LAKE"
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

# The file format of an older version, and the right to use it. They are left in the account, because functions of that
# version copy with it until the new ones run; then nothing uses it, and it may be dropped.
removed {
  from = snowflake_execute.parquet
  lifecycle {
    destroy = false
  }
}

moved {
  from = snowflake_grant_privileges_to_account_role.meta["LOADER/PARQUET"]
  to   = snowflake_grant_privileges_to_account_role.parquet
}

removed {
  from = snowflake_grant_privileges_to_account_role.parquet
  lifecycle {
    destroy = false
  }
}
