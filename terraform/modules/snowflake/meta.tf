# The schema META, by the statements of src/millrace/warehouse/snowflake/objects.py, see write_tables.py. No statement
# here or elsewhere needs a warehouse, because who deploys may have none.
locals {
  _statements = jsondecode(file("${path.module}/../../snowflake.json"))
  meta        = local._statements.made
  meta_schema = "${snowflake_database.this.name}.${snowflake_schema.this["META"].name}"

  # What undoes a statement that a destroy leaves alone. "The command does not require a running warehouse to execute":
  # https://docs.snowflake.com/en/sql-reference/sql/show-notification-integrations
  nothing = "SHOW NOTIFICATION INTEGRATIONS"
}

# The statements create what is missing and change nothing that exists; a destroy leaves it alone. So a table that was
# made by another statement of an older version needs no new one.
resource "snowflake_execute" "meta" {
  for_each = local.meta
  execute  = replace(each.value, "/\\bMETA\\./", "${local.meta_schema}.")
  revert   = local.nothing

  lifecycle {
    ignore_changes = [execute]
  }
}

# The columns that an account of an older version lacks: an apply runs what was added since the last one, after the tables
# and before the rights, the addresses and so the functions.
resource "snowflake_execute" "columns" {
  for_each = local._statements.added
  execute  = replace(each.value, "/\\bMETA\\./", "${local.meta_schema}.")
  revert   = local.nothing

  lifecycle {
    ignore_changes = [execute]
  }

  depends_on = [snowflake_execute.meta]
}
