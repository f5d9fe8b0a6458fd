# The deployed code: the source packages of the functions and of the image, named by their content.
locals {
  root     = "${path.module}/.."
  _package = [for file in sort(fileset("${local.root}/src", "millrace/**/*.{css,html,js,json,py,svg,typed}")) : file]

  # A function's package: its main.py, the package millrace beside it, and its lock.
  function_packages = {
    for name in ["api", "extract", "load"] : name => merge(
      { for file in local._package : file => "src/${file}" },
      { "main.py" = "functions/${name}/main.py", "requirements.txt" = "requirements/${name}.txt" },
    )
  }

  # The image is built from the same paths as in the repository.
  image_files = toset(concat(
    [for file in local._package : "src/${file}"],
    ["requirements/dbt-runner.txt"],
    [
      for file in fileset(local.root, "jobs/dbt-runner/**") : file
      if !can(regex("/(target|logs|__pycache__)/|/\\.user\\.yml$", file))
    ],
  ))
}

resource "google_storage_bucket" "packages" {
  # checkov:skip=CKV_GCP_62:reads of packages are in the project's audit log
  # checkov:skip=CKV_GCP_78:objects are named by their content and have no versions
  name                        = "${var.project_id}-packages"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # everything in it is made from this repository

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.storage]
}

data "archive_file" "function" {
  for_each    = local.function_packages
  type        = "zip"
  output_path = "${path.module}/.build/${each.key}.zip"

  dynamic "source" {
    for_each = each.value
    content {
      filename = source.key
      content  = file("${local.root}/${source.value}")
    }
  }
}

resource "google_storage_bucket_object" "function" {
  for_each = data.archive_file.function
  bucket   = google_storage_bucket.packages.name
  name     = "${each.key}-${each.value.output_sha256}.zip"
  source   = each.value.output_path
}

# Builds run as an account of their own, which can read packages and write images.
resource "google_service_account" "build" {
  account_id   = "build-images"
  display_name = "Builds the functions and the image"
  depends_on   = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "build_reads" {
  bucket = google_storage_bucket.packages.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

# The platform copies a function's package into a bucket of its own, which it creates when it builds the first one.
resource "google_project_iam_member" "build_reads_copies" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member
  condition {
    title      = "copies-of-packages"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-\")"
  }
}

resource "google_artifact_registry_repository_iam_member" "build_writes" {
  for_each   = google_artifact_registry_repository.this
  repository = each.value.name
  location   = each.value.location
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

resource "google_artifact_registry_repository" "this" {
  # checkov:skip=CKV_GCP_84:encrypted with var.kms_key if the company requires its own key
  for_each = {
    functions = { immutable = false, description = "Images that the platform makes of the functions." }
    images    = { immutable = true, description = "Images of the jobs, tagged with the hash of what they were built from." }
  }
  repository_id = each.key
  description   = each.value.description
  location      = var.region
  format        = "DOCKER"
  kms_key_name  = var.kms_key

  docker_config {
    immutable_tags = each.value.immutable
  }

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

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agent]
}
