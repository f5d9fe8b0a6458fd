# A secret whose value passes through Terraform without being stored: it is in no plan and no state.
resource "google_secret_manager_secret" "this" {
  secret_id           = var.name
  project             = var.project.id
  deletion_protection = var.deletion_protection

  replication {
    user_managed {
      replicas {
        location = var.project.region
        dynamic "customer_managed_encryption" {
          for_each = var.project.kms_key[*]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

# The time of the plan that stores a version. In that plan, and in no later one, it is now, and a value is needed.
resource "terraform_data" "stored" {
  input            = plantimestamp()
  triggers_replace = var.value_version

  lifecycle {
    ignore_changes = [input]
  }
}

resource "google_secret_manager_secret_version" "this" {
  secret                 = google_secret_manager_secret.this.id
  secret_data_wo         = var.value
  secret_data_wo_version = var.value_version
  deletion_policy        = "DISABLE" # an old value can be enabled again

  lifecycle {
    create_before_destroy = true
    precondition {
      condition     = var.value != null || terraform_data.stored.output != plantimestamp()
      error_message = "${var.name}: expected a value for its version ${var.value_version}, got none; set it and deploy again."
    }
  }
}
