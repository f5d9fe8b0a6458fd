# The project made ready: services, the accounts of Google's own services, their keys, and a wait until all of it is known.
locals {
  _services = toset(concat([
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "storage.googleapis.com",
  ], tolist(local._agents), var.services))

  # Google's own services that act for the project: Pub/Sub moves dead letters; with var.kms_key, all of them encrypt.
  _agents = toset(concat([
    "cloudscheduler.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ], var.agents))

  _storage_project = split("/", google_project_service.this["storage.googleapis.com"].id)[0]

  # Those that encrypt what they store.
  _encrypting = setintersection(local._agents, [
    "artifactregistry.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ])
}

resource "google_project_service" "this" {
  for_each           = local._services
  project            = var.id
  service            = each.value
  disable_on_destroy = false # others may use it as well
}

resource "google_project_service_identity" "this" {
  for_each   = local._agents
  provider   = google-beta
  project    = var.id
  service    = each.value
  depends_on = [google_project_service.this]
}

# Refused while the API of Cloud Storage is off, as in projects that were made by an API: so it waits for that one service,
# whose id is PROJECT/NAME. A reference of its own, or depends_on, would read it again at each change of any service, and
# replace the rights that name it.
data "google_storage_project_service_account" "this" {
  project = local._storage_project
}

# Write calls that read or change data to the project's audit log; by default they are not written.
resource "google_project_iam_audit_config" "this" {
  for_each = {
    "secretmanager.googleapis.com" = ["DATA_READ", "DATA_WRITE"]
    "storage.googleapis.com"       = var.log_object_reads ? ["DATA_READ", "DATA_WRITE"] : ["DATA_WRITE"]
  }
  project = var.id
  service = each.key

  dynamic "audit_log_config" {
    for_each = each.value
    content {
      log_type = audit_log_config.value
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each      = var.kms_key == null ? toset([]) : local._encrypting
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

# A service that was just switched on, or an account that was just made, is refused for a while by some of Google's APIs.
resource "time_sleep" "ready" {
  create_duration = "90s"
  triggers = {
    agents   = join(" ", sort(local._agents))
    kms_key  = var.kms_key
    services = join(" ", sort(local._services))
  }
  depends_on = [
    data.google_storage_project_service_account.this,
    google_kms_crypto_key_iam_member.agent,
    google_kms_crypto_key_iam_member.storage,
    google_project_service.this,
    google_project_service_identity.this,
  ]
}
