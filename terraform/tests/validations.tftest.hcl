# Validations of the root's variables, in as few runs as possible: each run plans everything. Each one listed must fail.
# Those of sources are tested without a plan of everything, in tests/deploy/terraform/test_source_settings.py.
mock_provider "google" {
  mock_data "google_storage_project_service_account" {
    defaults = { member = "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com" }
  }
}
mock_provider "google" {
  alias = "billing"
}
mock_provider "google-beta" {}
mock_provider "snowflake" {}
mock_provider "time" {}

run "what_cannot_be_meant_is_refused" {
  command = plan
  variables {
    alert_channels              = ["oncall@example.com"]
    alert_runbook_url           = "docs/operations.md"
    api_ingress                 = "internal"
    api_readers                 = ["group:analysts@example.com", "allAuthenticatedUsers"]
    base_image                  = "python@sha256:0"
    billing_account             = "my account"
    collectors                  = ["allUsers"]
    developers                  = 50001
    images                      = { functions = "registry.example/functions:1", job = "registry.example/job:1" }
    interval_hours              = 5
    kms_key                     = "my-key"
    people_key                  = { secret = "key", version = "latest" }
    prefix                      = "dev-"
    project_id                  = "Acme"
    region                      = "europe-north1"
    snowflake_account           = "acme.snowflakecomputing.com"
    snowflake_credits_per_month = 0
    snowflake_edition           = "trial"
    snowflake_host              = "https://acme.snowflakecomputing.com"
    snowflake_keys              = { LOADER = { secret = "key", version = "latest", public_key = "-----BEGIN PUBLIC KEY-----" } }
    snowflake_network_policy    = "my policy"
    snowflake_prefix            = "1dev"
    soft_delete_days            = 6
    source_key                  = ""
    source_keys                 = { other = "a-token" }
    source_requests_per_minute  = 0
    source_url                  = "https://key@source.example"
    vpc_connector               = "connector"
  }
  expect_failures = [
    var.alert_channels,
    var.alert_runbook_url,
    var.api_ingress,
    var.api_readers,
    var.base_image,
    var.billing_account,
    var.collectors,
    var.developers,
    var.images,
    var.interval_hours,
    var.kms_key,
    var.people_key,
    var.prefix,
    var.project_id,
    var.region,
    var.snowflake_account,
    var.snowflake_credits_per_month,
    var.snowflake_edition,
    var.snowflake_host,
    var.snowflake_keys,
    var.snowflake_network_policy,
    var.snowflake_prefix,
    var.soft_delete_days,
    var.source_key,
    var.source_keys,
    var.source_requests_per_minute,
    var.source_url,
    var.vpc_connector,
  ]
}

run "another_way_to_show_people_is_refused" {
  command = plan
  variables {
    people            = "anonymous"
    project_id        = "acme-dev"
    snowflake_account = "acme-dev"
    source_key        = "a-key"
    source_url        = "https://source.example"
  }
  expect_failures = [var.people]
}

run "pseudonyms_need_a_key" {
  command = plan
  variables {
    people            = "pseudonyms"
    project_id        = "acme-dev"
    snowflake_account = "acme-dev"
    source_key        = "a-key"
    source_url        = "https://source.example"
  }
  expect_failures = [var.people]
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

run "a_region_without_snowflake_is_a_warning" {
  command = plan
  variables {
    project_id        = "acme-dev"
    region            = "europe-west1"
    snowflake_account = "acme-dev"
    source_url        = "https://source.example"
  }
  expect_failures = [check.snowflake_is_near]
}

# These compare with other variables, which have to be valid then.
run "half_a_budget_two_ways_and_other_objects_are_refused" {
  command = plan
  variables {
    budget_usd_per_month = 100
    project_id           = "acme-dev"
    snowflake_account    = "acme-dev"
    source_objects       = ["reviews"]
    source_url           = "https://source.example"
    vpc_connector        = "projects/p/locations/europe-west4/connectors/c"
    vpc_subnetwork       = "projects/p/regions/europe-west4/subnetworks/s"
  }
  expect_failures = [var.budget_usd_per_month, var.source_objects, var.vpc_subnetwork]
}
