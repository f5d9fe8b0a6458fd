# The rules of the root's variables: in one run, because each plans everything. Every one listed has to fail.
mock_provider "archive" {}
mock_provider "google" {
  mock_data "google_storage_project_service_account" {
    defaults = { member = "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com" }
  }
}
mock_provider "google-beta" {}
mock_provider "time" {}

run "what_cannot_be_meant_is_refused" {
  command = plan
  variables {
    developers                 = 50001
    interval_hours             = 5
    kms_key                    = "my-key"
    project_id                 = "Acme"
    soft_delete_days           = 6
    source_key                 = ""
    source_requests_per_minute = 1
    source_url                 = "https://key@source.example"
    vpc_connector              = "connector"
    warehouse                  = "snowflake://user:password@acme"
  }
  expect_failures = [
    var.developers,
    var.interval_hours,
    var.kms_key,
    var.project_id,
    var.soft_delete_days,
    var.source_key,
    var.source_requests_per_minute,
    var.source_url,
    var.vpc_connector,
    var.warehouse,
  ]
}
