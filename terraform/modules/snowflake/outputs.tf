output "addresses" {
  description = "MILLRACE_WAREHOUSE of each user; known when it may sign in and has its rights."
  value = { for name, user in snowflake_service_user.this :
    name => "snowflake://${var.account}/${snowflake_database.this.name}?user=${user.name}&role=${user.default_role}&warehouse=${user.default_warehouse}${var.host == null ? "" : "&host=${var.host}"}"
  }
  depends_on = [
    module.storage,
    snowflake_execute.identity,
    snowflake_execute.short_sessions,
    snowflake_grant_account_role.user,
    snowflake_grant_privileges_to_account_role.database,
    snowflake_grant_privileges_to_account_role.future_tables,
    snowflake_grant_privileges_to_account_role.future_views,
    snowflake_grant_privileges_to_account_role.meta,
    snowflake_grant_privileges_to_account_role.schema,
    snowflake_grant_privileges_to_account_role.tables,
    snowflake_grant_privileges_to_account_role.warehouse,
  ]
}

output "names" {
  description = "Names in the account: the database, the warehouse, and the role that readers are granted."
  value = {
    database    = snowflake_database.this.name
    reader_role = local._roles["READER"]
    warehouse   = snowflake_warehouse.this.name
  }
}
