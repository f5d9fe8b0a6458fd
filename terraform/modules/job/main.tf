# The build job with its account and its rights. It takes a lease, so that two executions do not build at a time.
resource "google_service_account" "this" {
  account_id   = var.name
  display_name = "Builds the marts"
}

resource "google_cloud_run_v2_job" "this" {
  name                = var.name
  location            = var.region
  deletion_protection = false # everything in it is in this repository

  template {
    parallelism = 1
    task_count  = 1
    template {
      service_account = google_service_account.this.email
      max_retries     = 1
      timeout         = "3600s"
      encryption_key  = var.kms_key

      containers {
        image = var.image
        resources {
          limits = { cpu = "1", memory = "2Gi" }
        }
        dynamic "env" {
          for_each = var.environment
          content {
            name  = env.key
            value = env.value
          }
        }
        dynamic "env" {
          for_each = var.secrets
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = env.value.id
                version = env.value.version
              }
            }
          }
        }
      }

      dynamic "vpc_access" {
        for_each = var.vpc_connector[*]
        content {
          connector = vpc_access.value
          egress    = "ALL_TRAFFIC"
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reads]
}

resource "google_secret_manager_secret_iam_member" "reads" {
  for_each  = var.secrets
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

module "storage" {
  source = "../storage_rights"

  member = google_service_account.this.member
  rights = var.storage
}
