# Validations of the root's variables, in as few runs as possible: each run plans everything. Each one listed must fail.
mock_provider "archive" {}
mock_provider "google" {
  mock_data "google_storage_project_service_account" {
    defaults = { member = "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com" }
  }
}
mock_provider "google-beta" {}
mock_provider "snowflake" {}
mock_provider "time" {}

run "what_cannot_be_meant_is_refused" {
  command = plan
  variables {
    api_ingress                 = "internal"
    api_readers                 = ["group:analysts@example.com", "allAuthenticatedUsers"]
    collectors                  = ["allUsers"]
    developers                  = 50001
    interval_hours              = 5
    kms_key                     = "my-key"
    project_id                  = "Acme"
    snowflake_account           = "acme.snowflakecomputing.com"
    snowflake_credits_per_month = 0
    snowflake_edition           = "trial"
    snowflake_keys              = { LOADER = { secret = "key", version = "latest", public_key = "-----BEGIN PUBLIC KEY-----" } }
    soft_delete_days            = 6
    source_key                  = ""
    source_requests_per_minute  = 1
    source_url                  = "https://key@source.example"
    vpc_connector               = "connector"
  }
  expect_failures = [
    var.api_ingress,
    var.api_readers,
    var.collectors,
    var.developers,
    var.interval_hours,
    var.kms_key,
    var.project_id,
    var.snowflake_account,
    var.snowflake_credits_per_month,
    var.snowflake_edition,
    var.snowflake_keys,
    var.soft_delete_days,
    var.source_key,
    var.source_requests_per_minute,
    var.source_url,
    var.vpc_connector,
  ]
}

run "what_the_edition_does_not_have_is_refused" {
  command = plan
  variables {
    project_id               = "acme-dev"
    snowflake_account        = "acme-dev"
    snowflake_edition        = "standard"
    snowflake_retention_days = 2
    source_key               = "a-key"
    source_url               = "https://source.example"
  }
  expect_failures = [var.snowflake_retention_days]
}

run "snowpipe_is_refused_with_what_to_do" {
  command = plan
  variables {
    project_id        = "acme-dev"
    snowflake_account = "acme-dev"
    snowflake_staging = "snowpipe"
    source_key        = "a-key"
    source_url        = "https://source.example"
  }
  expect_failures = [var.snowflake_staging]
}
