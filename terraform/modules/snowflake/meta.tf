# The schema META, by the statements of src/millrace/warehouse/snowflake/objects.py, see write_tables.py.
locals {
  _statements = jsondecode(file("${path.module}/../../snowflake.json"))
  meta        = local._statements.made
  meta_schema = "${snowflake_database.this.name}.${snowflake_schema.this["META"].name}"
}

# The statements create what is missing and change nothing that exists; a destroy leaves it alone.
resource "snowflake_execute" "meta" {
  for_each = local.meta
  execute  = replace(each.value, "/\\bMETA\\./", "${local.meta_schema}.")
  revert   = "SELECT 1"
}

# The columns that an account of an older version lacks.
resource "snowflake_execute" "columns" {
  for_each = local._statements.added
  execute  = replace(each.value, "/\\bMETA\\./", "${local.meta_schema}.")
  revert   = "SELECT 1"

  depends_on = [snowflake_execute.meta]
}
