# The database and its schemas, which hold what only the lake could make again.
resource "snowflake_database" "this" {
  name                           = "MILLRACE"
  data_retention_time_in_days    = var.retention_days
  drop_public_schema_on_creation = true
}

resource "snowflake_schema" "this" {
  for_each            = toset(["INTERMEDIATE", "MART", "META", "PUBLISHED", "RAW", "STAGING"])
  database            = snowflake_database.this.name
  name                = each.value
  with_managed_access = "true" # who owns a table in it cannot grant it to others
}

# As a bucket that holds objects: a destroy is refused unless an earlier deployment was told. It goes first, and its
# error keeps what it hangs on. With a role its tables would change their owner.
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
