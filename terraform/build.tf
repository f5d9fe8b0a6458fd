module "dbt_runner_image" {
  source = "./modules/image"

  after = concat(
    [google_project_iam_member.build_logs.id, google_storage_bucket_iam_member.build_reads.id],
    [for right in google_artifact_registry_repository_iam_member.build_writes : right.id],
  )
  build_account = google_service_account.build.id
  bucket        = google_storage_bucket.packages.name
  dockerfile    = "jobs/dbt-runner/Dockerfile"
  files         = local.image_files
  name          = "dbt-runner"
  project_id    = var.project_id
  region        = var.region
  repository    = google_artifact_registry_repository.this["images"].repository_id
  root          = local.root
}

module "dbt_runner" {
  source = "./modules/job"

  environment = {
    MILLRACE_LAKE      = "gs://${local.lake}"
    MILLRACE_MEMORY    = "1GB"
    MILLRACE_PROJECT   = var.project_id
    MILLRACE_WAREHOUSE = module.snowflake.addresses["BUILDER"]
  }
  image   = module.dbt_runner_image.reference
  kms_key = var.kms_key
  name    = "dbt-runner"
  region  = var.region
  secrets = local.snowflake_secrets["BUILDER"]
  storage = {
    list-lake      = { bucket = local.lake, role = local.object_lister }
    replace-lease  = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "build/lease.json" }
    keep-artifacts = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "build/artifacts/" }
    read-requested = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "build/requested.json" }
  }
  vpc_connector = var.vpc_connector

  depends_on = [google_project_service.this]
}
