locals {
  services = toset([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ])

  # Google's own services that act for the project: Pub/Sub moves dead letters; with var.kms_key, all of them encrypt.
  agents = toset(concat(["pubsub.googleapis.com"], var.kms_key == null ? [] : [
    "artifactregistry.googleapis.com",
    "cloudfunctions.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ]))
}

resource "google_project_service" "this" {
  for_each           = local.services
  service            = each.value
  disable_on_destroy = false # others may use it as well
}

resource "google_project_service_identity" "this" {
  for_each   = local.agents
  provider   = google-beta
  service    = each.value
  depends_on = [google_project_service.this]
}

data "google_storage_project_service_account" "this" {}

# Write reads of objects and of the source key to the project's audit log; by default they are not written.
resource "google_project_iam_audit_config" "reads" {
  for_each = toset(["secretmanager.googleapis.com", "storage.googleapis.com"])
  project  = var.project_id
  service  = each.value

  dynamic "audit_log_config" {
    for_each = ["DATA_READ", "DATA_WRITE"]
    content {
      log_type = audit_log_config.value
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each      = var.kms_key == null ? toset([]) : local.agents
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = google_project_service_identity.this[each.value].member
}

resource "google_kms_crypto_key_iam_member" "storage" {
  count         = var.kms_key == null ? 0 : 1
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this.member
}
