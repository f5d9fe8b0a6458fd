# The roles and their rights. Nothing is granted to PUBLIC, and no role gets what belongs to another.
locals {
  # Besides USAGE of the database and the warehouse, which all roles have: schemas, objects in META, the schemas in which
  # every table, also a future one, may be read, and those in which every view that is made later may be.
  _rights = {
    # Owns the raw tables that it makes: only the owner may add a column. It also makes the view of META over one of them,
    # which its readers read by its right: https://docs.snowflake.com/en/sql-reference/sql/create-view
    LOADER = {
      schemas = { META = ["CREATE VIEW", "USAGE"], RAW = ["CREATE TABLE", "USAGE"] }
      meta = {
        DROPS    = ["READ", "WRITE"]
        LAKE     = ["USAGE"]
        LOADS    = ["INSERT", "SELECT", "UPDATE"] # it corrects the times of rows that were stamped ahead
        LOAD_SEQ = ["USAGE"]
        TURN     = ["INSERT", "SELECT", "UPDATE"] # updating its row takes the write lock; who finds none inserts it
      }
      reads = []
      views = []
    }
    BUILDER = {
      schemas = {
        INTERMEDIATE = ["CREATE TABLE", "CREATE VIEW", "USAGE"]
        MART         = ["CREATE TABLE", "CREATE VIEW", "USAGE"]
        META         = ["USAGE"]
        PUBLISHED    = ["CREATE TABLE", "USAGE"]
        RAW          = ["USAGE"]
        STAGING      = ["CREATE TABLE", "CREATE VIEW", "USAGE"]
      }
      meta = {
        BUILDS          = ["INSERT", "SELECT", "UPDATE"]
        LOADS           = ["SELECT"]
        MART_WATERMARKS = ["DELETE", "INSERT", "SELECT", "UPDATE"] # dbt notes the last change in each mart
        PUBLISHED       = ["DELETE", "INSERT", "SELECT", "UPDATE"]
        USAGE_OLD_KEYS  = ["DELETE", "INSERT", "SELECT", "UPDATE"]
        TURN            = ["INSERT", "SELECT", "UPDATE"]
      }
      reads = ["RAW"]
      views = ["META"]
    }
    READER = {
      schemas = { META = ["USAGE"], PUBLISHED = ["USAGE"] }
      meta = {
        BUILDS          = ["SELECT"]
        LOADS           = ["SELECT"] # how far the marts are behind
        MART_WATERMARKS = ["SELECT"]
        PUBLISHED       = ["SELECT"]
      }
      reads = ["PUBLISHED"]
      views = ["META"]
    }
  }

  _kinds = { DROPS = "STAGE", LAKE = "STAGE", LOAD_SEQ = "SEQUENCE" } # the others are tables
  _schemas = merge([for role, rights in local._rights : {
    for schema, may in rights.schemas : "${role}/${schema}" => { role = role, schema = schema, may = may }
  }]...)
  _meta = merge([for role, rights in local._rights : {
    for name, may in rights.meta : "${role}/${name}" => { role = role, name = name, may = may }
  }]...)
  _reads = merge([for role, rights in local._rights : {
    for schema in rights.reads : "${role}/${schema}" => { role = role, schema = schema }
  }]...)
  _views = merge([for role, rights in local._rights : {
    for schema in rights.views : "${role}/${schema}" => { role = role, schema = schema }
  }]...)
  _roles = { for role, each in snowflake_account_role.this : role => each.name }
  _named = { for schema, each in snowflake_schema.this : schema => "\"${each.database}\".\"${each.name}\"" }
}

resource "snowflake_account_role" "this" {
  for_each = toset(["BUILDER", "LOADER", "READER"])
  name     = "${var.name}_${each.value}"
}

# Administrators of the account have these roles too, to inspect and repair.
resource "snowflake_grant_account_role" "administrators" {
  for_each         = local._roles
  role_name        = each.value
  parent_role_name = "SYSADMIN"
}

resource "snowflake_grant_privileges_to_account_role" "database" {
  for_each          = local._roles
  account_role_name = each.value
  privileges        = ["USAGE"]
  on_account_object {
    object_type = "DATABASE"
    object_name = snowflake_database.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "warehouse" {
  for_each          = local._roles
  account_role_name = each.value
  privileges        = ["USAGE"]
  on_account_object {
    object_type = "WAREHOUSE"
    object_name = snowflake_warehouse.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "schema" {
  for_each          = local._schemas
  account_role_name = local._roles[each.value.role]
  privileges        = each.value.may
  on_schema {
    schema_name = local._named[each.value.schema]
  }
}

resource "snowflake_grant_privileges_to_account_role" "meta" {
  for_each          = local._meta
  account_role_name = local._roles[each.value.role]
  privileges        = each.value.may
  on_schema_object {
    object_type = lookup(local._kinds, each.value.name, "TABLE")
    object_name = "${local._named["META"]}.\"${each.value.name}\""
  }

  depends_on = [snowflake_execute.columns, snowflake_execute.meta, snowflake_stage.drops, snowflake_stage.lake]
}

resource "snowflake_grant_privileges_to_account_role" "tables" {
  for_each          = local._reads
  account_role_name = local._roles[each.value.role]
  privileges        = ["SELECT"]
  on_schema_object {
    all {
      object_type_plural = "TABLES"
      in_schema          = local._named[each.value.schema]
    }
  }
}

resource "snowflake_grant_privileges_to_account_role" "future_tables" {
  for_each          = local._reads
  account_role_name = local._roles[each.value.role]
  privileges        = ["SELECT"]
  on_schema_object {
    future {
      object_type_plural = "TABLES"
      in_schema          = local._named[each.value.schema]
    }
  }
}

# A view that is replaced has the future grants of its schema again, and no others.
resource "snowflake_grant_privileges_to_account_role" "future_views" {
  for_each          = local._views
  account_role_name = local._roles[each.value.role]
  privileges        = ["SELECT"]
  on_schema_object {
    future {
      object_type_plural = "VIEWS"
      in_schema          = local._named[each.value.schema]
    }
  }
}
