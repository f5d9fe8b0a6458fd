# A secret whose value passes through Terraform without being stored: it is in no plan and no state.
resource "google_secret_manager_secret" "this" {
  secret_id           = var.name
  deletion_protection = var.deletion_protection

  replication {
    user_managed {
      replicas {
        location = var.region
        dynamic "customer_managed_encryption" {
          for_each = var.kms_key[*]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

resource "google_secret_manager_secret_version" "this" {
  secret                 = google_secret_manager_secret.this.id
  secret_data_wo         = var.value
  secret_data_wo_version = var.value_version
  deletion_policy        = "DISABLE" # an old value can be enabled again

  lifecycle {
    create_before_destroy = true
  }
}
