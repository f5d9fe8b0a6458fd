mock_provider "google" {}
mock_provider "snowflake" {
  mock_resource "snowflake_storage_integration" {
    defaults = { storage_gcp_service_account = "snowflake@elsewhere.iam.gserviceaccount.com" }
  }
}

variables {
  account           = "acme-millrace"
  bucket            = "acme-dev-lake"
  bucket_looker     = "projects/acme-dev/roles/looker"
  credits_per_month = 60
  edition           = "enterprise"
  retention_days    = 7
  subjects          = { BUILDER = "1", LOADER = "2", SWEEPER = "3" }
}

run "everything_that_the_work_needs_and_no_more" {
  command = plan
  module {
    source = "./modules/snowflake"
  }

  assert {
    condition     = snowflake_warehouse.this.auto_suspend == 60 && snowflake_warehouse.this.initially_suspended && snowflake_warehouse.this.warehouse_size == "XSMALL"
    error_message = "the warehouse is small, and sleeps after a minute"
  }
  assert {
    condition     = snowflake_warehouse.this.resource_monitor == snowflake_resource_monitor.this.name && snowflake_resource_monitor.this.suspend_trigger == 100
    error_message = "when the credits are used up, the warehouse sleeps"
  }
  assert {
    condition     = snowflake_storage_integration.lake.storage_allowed_locations == tolist(["gcs://acme-dev-lake/raw/"])
    error_message = "Snowflake reads raw/ and nothing else"
  }
  assert {
    condition     = keys(snowflake_schema.this) == ["INTERMEDIATE", "MART", "META", "PUBLISHED", "RAW", "STAGING"]
    error_message = "six schemas"
  }
  assert {
    condition     = alltrue([for each in snowflake_execute.meta : each.revert == "SELECT 1" && strcontains(each.execute, " IF NOT EXISTS MILLRACE.META.")])
    error_message = "what is noted is neither made twice nor dropped"
  }
  assert {
    condition     = { for key, each in snowflake_execute.columns : key => each.execute } == { "LOADS.CRC32C" = "ALTER TABLE MILLRACE.META.LOADS ADD COLUMN IF NOT EXISTS CRC32C VARCHAR" }
    error_message = "tables of an older version get what they lack"
  }
  assert {
    condition     = strcontains(snowflake_execute.keeps_data.revert, "RAISE")
    error_message = "a destroy is refused"
  }
  assert {
    condition     = snowflake_execute.identity["LOADER"].execute == "ALTER USER MILLRACE_LOADER SET WORKLOAD_IDENTITY = (TYPE = GCP SUBJECT = '2')"
    error_message = "the loader signs in as its Google account"
  }
  assert {
    condition     = keys(snowflake_execute.short_sessions) == ["BUILDER", "LOADER", "SWEEPER"]
    error_message = "an unused session ends"
  }
  assert {
    condition     = snowflake_grant_privileges_to_account_role.schema["LOADER/RAW"].privileges == toset(["CREATE TABLE", "USAGE"])
    error_message = "the loader makes the raw tables"
  }
  assert {
    condition = [for key, each in snowflake_grant_privileges_to_account_role.meta : "${key} ${join(" ", sort(each.privileges))}" if endswith(key, "/MART_WATERMARKS") || endswith(key, "/USAGE_OLD_KEYS")] == [
      "BUILDER/MART_WATERMARKS DELETE INSERT SELECT UPDATE",
      "BUILDER/USAGE_OLD_KEYS DELETE INSERT SELECT UPDATE",
      "READER/MART_WATERMARKS SELECT",
    ]
    error_message = "what dbt notes of its marts is the builder's, and readers see how far they are"
  }
  assert {
    condition     = output.addresses["SWEEPER"] == "snowflake://acme-millrace/MILLRACE?user=MILLRACE_SWEEPER&role=MILLRACE_LOADER&warehouse=MILLRACE"
    error_message = "an address names the user and its role: the sweep loads"
  }
}

run "readers_change_nothing" {
  command = plan
  module {
    source = "./modules/snowflake"
  }

  assert {
    condition = { for key, each in snowflake_grant_privileges_to_account_role.meta : key => each.privileges if startswith(key, "READER/") } == {
      "READER/BUILDS"          = toset(["SELECT"])
      "READER/LOADS"           = toset(["SELECT"])
      "READER/MART_WATERMARKS" = toset(["SELECT"])
      "READER/PUBLISHED"       = toset(["SELECT"])
    }
    error_message = "readers see what was built, published and loaded, and how far each mart is"
  }
  assert {
    condition     = keys(snowflake_service_user.this) == ["BUILDER", "LOADER", "SWEEPER"]
    error_message = "without an API its user does not exist"
  }
}

run "the_api_signs_in_as_itself_and_acts_by_the_role_of_readers" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    subjects = { API = "4", BUILDER = "1", LOADER = "2", SWEEPER = "3" }
  }

  assert {
    condition     = output.addresses["API"] == "snowflake://acme-millrace/MILLRACE?user=MILLRACE_API&role=MILLRACE_READER&warehouse=MILLRACE"
    error_message = "its address names its user and the role of readers"
  }
  assert {
    condition     = snowflake_grant_account_role.user["API"].role_name == "MILLRACE_READER" && snowflake_grant_account_role.user["API"].user_name == "MILLRACE_API"
    error_message = "it has the role of readers, and no other"
  }
  assert {
    condition     = !contains(keys(snowflake_account_role.this), "API")
    error_message = "it has no role of its own"
  }
  assert {
    condition     = snowflake_execute.identity["API"].execute == "ALTER USER MILLRACE_API SET WORKLOAD_IDENTITY = (TYPE = GCP SUBJECT = '4')"
    error_message = "it signs in as its Google account"
  }
  assert {
    condition     = snowflake_service_user.this["API"].statement_timeout_in_seconds == 30 && contains(keys(snowflake_execute.short_sessions), "API")
    error_message = "its statements are short, and a session that it does not use ends"
  }
}

run "a_deployment_that_was_told_lets_the_database_go" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    delete_data = true
  }

  assert {
    condition     = snowflake_execute.keeps_data.revert == "SELECT 1"
    error_message = "nothing refuses a destroy"
  }
}

run "the_standard_edition_has_no_session_policies" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    edition        = "standard"
    retention_days = 1
  }

  assert {
    condition     = length(snowflake_execute.session_policy) + length(snowflake_execute.short_sessions) == 0
    error_message = "what the edition does not have is not asked for"
  }
}

run "a_user_with_a_key_has_no_identity" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    keys = { LOADER = { public_key = "MIIB", old_public_key = "MIIA" } }
  }

  assert {
    condition     = snowflake_service_user.this["LOADER"].rsa_public_key == "MIIB" && snowflake_service_user.this["LOADER"].rsa_public_key_2 == "MIIA"
    error_message = "both keys are good while one replaces the other"
  }
  assert {
    condition     = keys(snowflake_execute.identity) == ["BUILDER", "SWEEPER"]
    error_message = "there is one way to sign in"
  }
}

run "no_credits_are_refused" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    credits_per_month = 0
  }
  expect_failures = [var.credits_per_month]
}

run "an_unknown_edition_is_refused" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    edition = "trial"
  }
  expect_failures = [var.edition]
}

run "more_history_than_the_edition_keeps_is_refused" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    edition        = "standard"
    retention_days = 2
  }
  expect_failures = [var.retention_days]
}

run "a_reader_is_no_service" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    subjects = { READER = "4" }
  }
  expect_failures = [var.subjects]
}
