# The build of the images. No build runs here: a plan, and what a registry answers.
mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = { member = "serviceAccount:build@acme-dev.iam.gserviceaccount.com" }
  }
  mock_data "google_artifact_registry_docker_image" {
    defaults = { self_link = "registry.example/functions@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }
}

mock_provider "time" {}

variables {
  base_image = "python:3.12-slim-bookworm"
  database   = "MILLRACE"
  files      = ["jobs/dbt-runner/Dockerfile"]
  images     = { functions = "functions", job = "dbt-runner" }
  project    = { id = "acme-dev", region = "europe-west4" }
  root       = "./.."
}

run "a_build_has_its_bucket_registry_and_account" {
  command = plan
  module {
    source = "./modules/image"
  }

  assert {
    condition     = google_storage_bucket.this.name == "acme-dev-packages" && one(google_storage_bucket.this.lifecycle_rule[0].condition).age == 7
    error_message = "sources lie in the project's own bucket, for a week"
  }
  assert {
    condition     = length(google_artifact_registry_repository.this.docker_config) == 0 && length(google_artifact_registry_repository.this.cleanup_policies) == 2
    error_message = "a registry whose tags cannot move cannot clean up"
  }
  assert {
    condition     = google_storage_bucket_iam_member.build_reads.bucket == "acme-dev-packages" && google_storage_bucket_iam_member.build_reads.role == "roles/storage.objectViewer"
    error_message = "the build account reads the bucket that gcloud names as source"
  }
  assert {
    condition     = can(regex("^europe-west4-docker.pkg.dev/acme-dev/images [0-9a-f]{16}$", terraform_data.built.triggers_replace))
    error_message = "a build follows from registry and tag"
  }
  assert {
    condition     = endswith(data.google_artifact_registry_docker_image.this["job"].image_name, "dbt-runner:${split(" ", terraform_data.built.triggers_replace)[1]}")
    error_message = "the digest is that of the built tag"
  }
}
