# Images that Cloud Build makes of one checkout, in one build: the bucket that it reads, the registry that it writes,
# an account that can do nothing else, and the build. They are named by the hash of their content.
locals {
  registry = "${google_artifact_registry_repository.this.location}-docker.pkg.dev/${var.project.id}/${google_artifact_registry_repository.this.repository_id}"
  tag = substr(sha256(join("\n", concat(
    ["base ${var.base_image}", "database ${var.database}"],
    [for file in sort(var.files) : "${file} ${filesha256("${var.root}/${file}")}"],
  ))), 0, 16)
}

resource "google_storage_bucket" "this" {
  # checkov:skip=CKV_GCP_62:the sources of a build are no data, and writes are in the audit log
  # checkov:skip=CKV_GCP_78:sources are uploaded once for each build and have no versions
  name                        = "${var.project.id}-${var.prefix}packages"
  project                     = var.project.id
  location                    = var.project.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # everything in it is made from this repository

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 7
      matches_prefix = ["staged/"]
    }
  }

  dynamic "encryption" {
    for_each = var.project.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }
}

# Tags can be moved, because a registry whose tags cannot cannot clean up either; what runs is named by its digest.
resource "google_artifact_registry_repository" "this" {
  # checkov:skip=CKV_GCP_84:encrypted with the project's key if the company requires its own
  repository_id = "${var.prefix}images"
  description   = "Images of the functions and of the job, tagged with the hash of what they were built from."
  project       = var.project.id
  location      = var.project.region
  format        = "DOCKER"
  kms_key_name  = var.project.kms_key

  cleanup_policies {
    id     = "keep-the-last-ten"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
  cleanup_policies {
    id     = "delete-after-90-days"
    action = "DELETE"
    condition {
      older_than = "7776000s"
    }
  }
}

resource "google_service_account" "build" {
  account_id   = "${var.prefix}build-images"
  project      = var.project.id
  display_name = "Builds the images"
}

resource "google_storage_bucket_iam_member" "build_reads" {
  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

resource "google_artifact_registry_repository_iam_member" "build_writes" {
  project    = var.project.id
  repository = google_artifact_registry_repository.this.name
  location   = google_artifact_registry_repository.this.location
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

resource "google_project_iam_member" "build_logs" {
  project = var.project.id
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

# Cloud Build may refuse an account whose rights were granted a moment before.
resource "time_sleep" "granted" {
  create_duration = "90s"
  triggers = {
    logs   = google_project_iam_member.build_logs.id
    reads  = google_storage_bucket_iam_member.build_reads.id
    writes = google_artifact_registry_repository_iam_member.build_writes.id
  }
}

# No resource builds an image. The tag is a hash of the content, so images that exist already are the right ones.
resource "terraform_data" "built" {
  triggers_replace = "${local.registry} ${local.tag}"
  depends_on       = [time_sleep.granted]

  provisioner "local-exec" {
    command = "sh \"${path.module}/build.sh\""
    environment = {
      ACCOUNT  = google_service_account.build.id
      BUCKET   = google_storage_bucket.this.name
      DATABASE = var.database
      PROJECT  = var.project.id
      PYTHON   = var.base_image
      REGION   = var.project.region
      REGISTRY = local.registry
      ROOT     = var.root
      TAG      = local.tag
    }
  }
}

data "google_artifact_registry_docker_image" "this" {
  for_each      = var.images
  project       = var.project.id
  location      = google_artifact_registry_repository.this.location
  repository_id = google_artifact_registry_repository.this.repository_id
  image_name    = "${each.value}:${local.tag}"
  depends_on    = [terraform_data.built]
}
