terraform {
  required_version = ">= 1.11" # write-only arguments: the source key is in no plan and no state

  # Exact, so that an upgrade of a provider is a commit; make lock-providers records their checksums.
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
    google-beta = { # identities of Google's own services, and Identity-Aware Proxy on a service
      source  = "hashicorp/google-beta"
      version = "6.50.0"
    }
    snowflake = {
      source  = "snowflakedb/snowflake"
      version = "2.11.0"
    }
    time = { # waits, and the time of the first deployment
      source  = "hashicorp/time"
      version = "0.13.1"
    }
  }
}

locals {
  _labels = merge({ system = "millrace" }, var.prefix == "" ? {} : { deployment = var.prefix })
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = local._labels
}

# The API of budgets refuses a person's credentials unless a project is named that counts the calls.
provider "google" {
  alias                 = "billing"
  project               = var.project_id
  billing_project       = var.project_id
  user_project_override = true
}

provider "google-beta" {
  project        = var.project_id
  region         = var.region
  default_labels = local._labels
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
