# What the work is noted in, by the statements of src/millrace/warehouse/snowflake/objects.py, see write_tables.py.
locals {
  _statements = jsondecode(file("${path.module}/../../snowflake.json"))
  meta        = local._statements.made
  meta_schema = "${snowflake_database.this.name}.${snowflake_schema.this["META"].name}"
}

# They make what is not there and change nothing that is; a destroy leaves it alone.
resource "snowflake_execute" "meta" {
  for_each = local.meta
  execute  = replace(each.value, "/\\bMETA\\./", "${local.meta_schema}.")
  revert   = "SELECT 1"
}

# What an account lacks that was made by an older version.
resource "snowflake_execute" "columns" {
  for_each = local._statements.added
  execute  = replace(each.value, "/\\bMETA\\./", "${local.meta_schema}.")
  revert   = "SELECT 1"

  depends_on = [snowflake_execute.meta]
}
