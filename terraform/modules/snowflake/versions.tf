terraform {
  required_providers {
    google = {
      source = "hashicorp/google"
    }
    snowflake = {
      source = "snowflakedb/snowflake"
    }
  }
}
