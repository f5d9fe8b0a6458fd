# The database and its schemas; their data could only be rebuilt from the lake.
resource "snowflake_database" "this" {
  name                           = var.name
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
# A guard in SQL would need a warehouse.
resource "terraform_data" "keeps_data" {
  input = var.delete_data

  provisioner "local-exec" {
    when    = destroy
    command = self.input ? "exit 0" : "echo 'The database is protected. Deploy first with delete_data = true.' >&2 && exit 1"
  }

  depends_on = [snowflake_account_role.this, snowflake_schema.this]
}

# The guard of an older version, whose statement to undo it would refuse this too.
removed {
  from = snowflake_execute.keeps_data
  lifecycle {
    destroy = false
  }
}
