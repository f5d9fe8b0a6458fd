# The database and its schemas; their data could only be rebuilt from the lake.
resource "snowflake_database" "this" {
  name                           = "MILLRACE"
  data_retention_time_in_days    = var.retention_days
  drop_public_schema_on_creation = true
}

resource "snowflake_schema" "this" {
  for_each            = toset(["INTERMEDIATE", "MART", "META", "PUBLISHED", "RAW", "STAGING"])
  database            = snowflake_database.this.name
  name                = each.value
  with_managed_access = "true" # the owner of a table in it cannot grant it to others
}

# Like a bucket that holds objects: a destroy is refused unless an earlier deployment has set delete_data. This is
# destroyed first, and its error keeps what it depends on. Without a role, its tables would change their owner.
resource "snowflake_execute" "keeps_data" {
  execute = "SELECT 1"
  revert = var.delete_data ? "SELECT 1" : trimspace(<<-SQL
    EXECUTE IMMEDIATE $$
    DECLARE
      kept EXCEPTION (-20001, 'The database is protected. Tell the deployment first: delete_data = true');
    BEGIN
      RAISE kept;
    END;
    $$
  SQL
  )

  depends_on = [snowflake_account_role.this, snowflake_schema.this]
}
