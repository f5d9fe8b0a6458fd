# The build job with its account and its rights. It takes a lease, so that two executions do not build at a time.
resource "google_service_account" "this" {
  account_id   = var.name
  project      = var.project.id
  display_name = "Builds the marts"
}

resource "google_cloud_run_v2_job" "this" {
  name                = var.name
  project             = var.project.id
  location            = var.project.region
  deletion_protection = false # everything in it is in this repository

  template {
    parallelism = 1
    task_count  = 1
    template {
      service_account = google_service_account.this.email
      max_retries     = 1
      timeout         = "3600s"
      encryption_key  = var.project.kms_key

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
        for_each = var.vpc[*]
        content {
          connector = vpc_access.value.connector
          egress    = "ALL_TRAFFIC"
          dynamic "network_interfaces" {
            for_each = vpc_access.value.subnetwork[*]
            content {
              subnetwork = network_interfaces.value
            }
          }
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reads]
}

resource "google_secret_manager_secret_iam_member" "reads" {
  for_each  = var.secrets
  project   = var.project.id
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

module "storage" {
  source = "../storage_rights"

  member = google_service_account.this.member
  rights = var.storage
}
