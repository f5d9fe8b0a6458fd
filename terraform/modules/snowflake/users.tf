# Who signs in: the account of a function or job, each as a user of its own. The API acts by the role of readers, and the
# sweep by that of the loader: it loads what the warehouse lacks. By its own identity or, where that cannot be, by a key. No password.
locals {
  _acts_by             = { for user in keys(var.subjects) : user => local._roles[lookup({ API = "READER", SWEEPER = "LOADER" }, user, user)] }
  _statement_timeout_s = { API = 30, BUILDER = 3600, LOADER = 300, SWEEPER = 300 }
  _idle_minutes        = { API = 5, BUILDER = 60, LOADER = 5, SWEEPER = 5 } # one of dbt's sessions may wait for another's model
  _policies            = { for user in keys(var.subjects) : user => "${local.meta_schema}.SESSIONS_OF_${user}" }
}

resource "snowflake_service_user" "this" {
  for_each                       = var.subjects
  name                           = "MILLRACE_${each.key}"
  default_role                   = local._acts_by[each.key]
  default_secondary_roles_option = "NONE"
  default_warehouse              = snowflake_warehouse.this.name
  rsa_public_key                 = try(var.keys[each.key].public_key, null)
  rsa_public_key_2               = try(var.keys[each.key].old_public_key, null)

  # What a client leaves behind ends by itself.
  abort_detached_query         = true
  lock_timeout                 = 60
  statement_timeout_in_seconds = local._statement_timeout_s[each.key]

  timezone   = "UTC"
  week_start = 1
}

resource "snowflake_grant_account_role" "user" {
  for_each  = snowflake_service_user.this
  role_name = each.value.default_role
  user_name = each.value.name
}

# The provider has no argument for it: https://github.com/snowflakedb/terraform-provider-snowflake/issues/3942
resource "snowflake_execute" "identity" {
  for_each = { for user, subject in var.subjects : user => subject if !contains(keys(var.keys), user) }
  execute  = "ALTER USER ${snowflake_service_user.this[each.key].name} SET WORKLOAD_IDENTITY = (TYPE = GCP SUBJECT = '${each.value}')"
  revert   = "ALTER USER ${snowflake_service_user.this[each.key].name} UNSET WORKLOAD_IDENTITY"
}

# A transaction whose client died ends with its session, and gives back the turn.
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
