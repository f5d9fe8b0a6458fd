# The bucket of Terraform's state, made once before the first deployment: terraform init && terraform apply here, then
# terraform output -raw backend >../backend.tf. Its own state is small and can be imported again: it may stay on disk.
terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
  }
}

provider "google" {
  project        = var.project_id
  default_labels = { system = "millrace" }
}

resource "google_project_service" "storage" {
  service            = "storage.googleapis.com"
  disable_on_destroy = false # others may use it as well
}

# A state names every resource and no secret. Each version is kept, so that a damaged one can be brought back.
resource "google_storage_bucket" "state" {
  # checkov:skip=CKV_GCP_62:who reads a state is in the audit log if the project logs reads
  name                        = "${var.project_id}-terraform"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 30 * 86400
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 100
      with_state         = "ARCHIVED"
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.storage]
}
