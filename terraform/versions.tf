terraform {
  required_version = ">= 1.11" # write-only arguments: the source key is in no plan and no state

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.7"
    }
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
    google-beta = { # only for the identities of Google's own services
      source  = "hashicorp/google-beta"
      version = "~> 6.50"
    }
    snowflake = {
      source  = "snowflakedb/snowflake"
      version = "~> 2.11"
    }
    time = { # only to wait until new metrics exist
      source  = "hashicorp/time"
      version = "~> 0.13"
    }
  }
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = { system = "millrace" }
}

provider "google-beta" {
  project = var.project_id
  region  = var.region
}

# The environment contains the user and role that apply: SNOWFLAKE_USER and the others of docs/snowflake.md.
provider "snowflake" {
  organization_name = split("-", var.snowflake_account)[0]
  account_name      = split("-", var.snowflake_account)[1]
  preview_features_enabled = [
    "snowflake_stage_resource",
    "snowflake_storage_integration_resource",
  ]
}
