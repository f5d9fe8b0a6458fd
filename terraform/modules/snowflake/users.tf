# The users: one for the account of each function or job. The API has the role of readers, and the sweep that of the
# loader: it loads what the warehouse lacks. They sign in by their own identity or, where that is impossible, by a key.
# There is no password.
locals {
  _acts_by             = { for user in keys(var.subjects) : user => local._roles[lookup({ API = "READER", SWEEPER = "LOADER" }, user, user)] }
  _statement_timeout_s = { API = 30, BUILDER = 3600, LOADER = 300, SWEEPER = 300 }
  _idle_minutes        = { API = 5, BUILDER = 60, LOADER = 5, SWEEPER = 5 } # one of dbt's sessions may wait for another's model
  _policies            = { for user in keys(var.subjects) : user => "${local.meta_schema}.SESSIONS_OF_${user}" }
}

resource "snowflake_service_user" "this" {
  for_each                       = var.subjects
  name                           = "${var.name}_${each.key}"
  default_role                   = local._acts_by[each.key]
  default_secondary_roles_option = "NONE"
  default_warehouse              = snowflake_warehouse.this.name
  rsa_public_key                 = try(var.keys[each.key].public_key, null)
  rsa_public_key_2               = try(var.keys[each.key].old_public_key, null)

  # Statements and locks that a client leaves behind time out.
  abort_detached_query         = true
  lock_timeout                 = 60
  statement_timeout_in_seconds = local._statement_timeout_s[each.key]

  # Known whatever the account's own defaults are: a TIMESTAMP has no zone, and a day is one of UTC.
  timestamp_type_mapping = "TIMESTAMP_NTZ"
  timezone               = "UTC"
  week_start             = 1

  network_policy = var.network_policy
}

resource "snowflake_grant_account_role" "user" {
  for_each  = snowflake_service_user.this
  role_name = each.value.default_role
  user_name = each.value.name
}

# The provider has no argument for this: https://github.com/snowflakedb/terraform-provider-snowflake/issues/3942
resource "snowflake_execute" "identity" {
  for_each = { for user, subject in var.subjects : user => subject if !contains(keys(var.keys), user) }
  execute  = "ALTER USER ${snowflake_service_user.this[each.key].name} SET WORKLOAD_IDENTITY = (TYPE = GCP SUBJECT = '${each.value}')"
  revert   = "ALTER USER ${snowflake_service_user.this[each.key].name} UNSET WORKLOAD_IDENTITY"
}

# A transaction whose client died ends with its session, which releases the write lock.
resource "snowflake_execute" "session_policy" {
  for_each = var.edition == "standard" ? {} : local._policies
  execute  = "CREATE SESSION POLICY IF NOT EXISTS ${each.value} SESSION_IDLE_TIMEOUT_MINS = ${local._idle_minutes[each.key]}"
  revert   = "DROP SESSION POLICY IF EXISTS ${each.value}"
}

resource "snowflake_execute" "short_sessions" {
  for_each = var.edition == "standard" ? {} : local._policies
  execute  = "ALTER USER ${snowflake_service_user.this[each.key].name} SET SESSION POLICY ${each.value}"
  revert   = "ALTER USER ${snowflake_service_user.this[each.key].name} UNSET SESSION POLICY"

  depends_on = [snowflake_execute.session_policy]
}
