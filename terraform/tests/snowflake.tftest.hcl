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
  writers           = { BUILDER = 1, LOADER = 10, SWEEPER = 1 }
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
    condition     = alltrue([for each in snowflake_execute.meta : startswith(each.revert, "SHOW ") && strcontains(each.execute, " IF NOT EXISTS MILLRACE.META.")])
    error_message = "what is noted is neither made twice nor dropped"
  }
  assert {
    condition     = snowflake_execute.columns["LOADS.CRC32C"].execute == "ALTER TABLE MILLRACE.META.LOADS ADD COLUMN IF NOT EXISTS CRC32C VARCHAR" && alltrue([for each in snowflake_execute.columns : can(regex("^ALTER TABLE MILLRACE\\.META\\.\\w+ ADD COLUMN IF NOT EXISTS ", each.execute))])
    error_message = "tables of an older version get what they lack"
  }
  assert {
    condition     = terraform_data.keeps_data.input == false
    error_message = "a destroy is refused"
  }
  assert {
    condition     = alltrue([for each in concat(values(snowflake_execute.columns), values(snowflake_execute.identity), values(snowflake_execute.meta), values(snowflake_execute.session_policy), values(snowflake_execute.short_sessions)) : !can(regex("\\b(SELECT|INSERT|UPDATE|DELETE|BEGIN)\\b", "${each.execute} ${each.revert}"))])
    error_message = "no statement needs a warehouse"
  }
  assert {
    condition     = snowflake_service_user.this["LOADER"].timestamp_type_mapping == "TIMESTAMP_NTZ" && snowflake_service_user.this["LOADER"].timezone == "UTC"
    error_message = "instants are read the same whatever the account's defaults are"
  }
  assert {
    condition     = [for key, each in snowflake_grant_privileges_to_account_role.meta : "${key} ${join(" ", sort(each.privileges))}" if endswith(key, "/TURN")] == ["BUILDER/TURN INSERT SELECT UPDATE", "LOADER/TURN INSERT SELECT UPDATE"]
    error_message = "who finds no row in the write lock inserts it"
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
    condition     = [for key, each in snowflake_grant_privileges_to_account_role.schema : key if contains(each.privileges, "CREATE VIEW") && endswith(key, "/META")] == ["LOADER/META"]
    error_message = "the loader alone makes views in META"
  }
  assert {
    condition     = [for key, each in snowflake_grant_privileges_to_account_role.future_views : "${key} ${join(" ", each.privileges)} ${each.on_schema_object[0].future[0].object_type_plural}"] == ["BUILDER/META SELECT VIEWS", "READER/META SELECT VIEWS"]
    error_message = "builds and readers may read them"
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
    condition     = terraform_data.keeps_data.input == true
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

run "the_name_begins_every_name_of_the_account" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    name = "MILLRACE_DEV"
  }

  assert {
    condition     = toset([snowflake_database.this.name, snowflake_resource_monitor.this.name, snowflake_warehouse.this.name]) == toset(["MILLRACE_DEV"]) && snowflake_storage_integration.lake.name == "MILLRACE_DEV_LAKE"
    error_message = "database, warehouse, monitor and integration are of this deployment"
  }
  assert {
    condition     = [for each in snowflake_account_role.this : each.name] == ["MILLRACE_DEV_BUILDER", "MILLRACE_DEV_LOADER", "MILLRACE_DEV_READER"] && [for each in snowflake_service_user.this : each.name] == ["MILLRACE_DEV_BUILDER", "MILLRACE_DEV_LOADER", "MILLRACE_DEV_SWEEPER"]
    error_message = "so are roles and users"
  }
  assert {
    condition     = output.addresses["SWEEPER"] == "snowflake://acme-millrace/MILLRACE_DEV?user=MILLRACE_DEV_SWEEPER&role=MILLRACE_DEV_LOADER&warehouse=MILLRACE_DEV"
    error_message = "an address names them"
  }
  assert {
    condition     = alltrue([for each in snowflake_execute.meta : strcontains(each.execute, " IF NOT EXISTS MILLRACE_DEV.META.")])
    error_message = "the tables are made in its database"
  }
  assert {
    condition     = output.names == { database = "MILLRACE_DEV", reader_role = "MILLRACE_DEV_READER", warehouse = "MILLRACE_DEV" }
    error_message = "the output has the names that people type"
  }
}

run "a_network_of_the_company_is_named_to_users_and_addresses" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    host           = "acme-millrace.privatelink.snowflakecomputing.com"
    network_policy = "SERVICES"
  }

  assert {
    condition     = alltrue([for each in snowflake_service_user.this : each.network_policy == "SERVICES"])
    error_message = "every user has the policy"
  }
  assert {
    condition     = alltrue([for address in output.addresses : endswith(address, "&warehouse=MILLRACE&host=acme-millrace.privatelink.snowflakecomputing.com")])
    error_message = "every address names the host"
  }
}

run "more_writers_than_a_lock_has_waiters_are_refused" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    writers = { BUILDER = 1, LOADER = 19, SWEEPER = 1 }
  }
  expect_failures = [var.writers]
}

run "a_name_that_is_no_identifier_is_refused" {
  command = plan
  module {
    source = "./modules/snowflake"
  }
  variables {
    name = "MILLRACE-DEV"
  }
  expect_failures = [var.name]
}
