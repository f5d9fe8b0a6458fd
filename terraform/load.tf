locals {
  # A function of functions/load; docs/settings.md lists its settings.
  _load_environment = {
    MILLRACE_BUS        = "pubsub:///projects/${var.project_id}"
    MILLRACE_JOB        = "run:///projects/${var.project_id}/locations/${var.region}/jobs/${module.dbt_runner.name}"
    MILLRACE_LAKE       = "gs://${local.lake}"
    MILLRACE_MEMORY     = "800MB"
    MILLRACE_QUARANTINE = "gs://${module.lake.quarantine_bucket}"
  }
}

module "load" {
  source = "./modules/function"

  description   = "Loads each new object into the warehouse, and starts the build when a run is final."
  entry_point   = "load"
  environment   = merge(local._load_environment, { MILLRACE_WAREHOUSE = module.snowflake.addresses["LOADER"] })
  max_instances = 10
  memory        = "2Gi"
  name          = "load"
  package       = google_storage_bucket_object.function["load"]
  platform      = local.function_defaults
  secrets       = local.snowflake_secrets["LOADER"]
  storage = {
    read-lake         = { bucket = local.lake, role = "roles/storage.objectViewer" }
    create-final      = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/final.json" }
    replace-cursors   = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "state/" }
    replace-requested = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "build/requested.json" }
    list-quarantine   = { bucket = module.lake.quarantine_bucket, role = local.object_lister }
    create-quarantine = { bucket = module.lake.quarantine_bucket, role = "roles/storage.objectCreator", prefix = "quarantine/" }
  }
  subscriptions = {
    objects = { topic = module.topic["object-events"] }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build_writes,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_reads_copies,
    google_storage_bucket_iam_member.build_reads,
  ]
}

# An event cannot start a job by itself: the load function starts it when a run is final.
resource "google_cloud_run_v2_job_iam_member" "load_starts_builds" {
  name     = module.dbt_runner.name
  location = var.region
  role     = local.job_starter
  member   = module.load.member
}

# The sweep starts it too, when it finds that an older warehouse was restored.
resource "google_cloud_run_v2_job_iam_member" "sweep_starts_builds" {
  name     = module.dbt_runner.name
  location = var.region
  role     = local.job_starter
  member   = module.sweep.member
}

module "sweep" {
  source = "./modules/function"

  description = "Asks again for what was lost on the way, so that every run ends, and loads what the warehouse lacks."
  entry_point = "sweep"
  environment = merge(local._load_environment, { MILLRACE_WAREHOUSE = module.snowflake.addresses["SWEEPER"] })
  memory      = "2Gi"
  name        = "sweep"
  package     = google_storage_bucket_object.function["load"]
  platform    = local.function_defaults
  publishes_to = {
    extract-requests = module.topic["extract-requests"].id
    object-events    = module.topic["object-events"].id
  }
  secrets = local.snowflake_secrets["SWEEPER"]
  storage = {
    read-lake         = { bucket = local.lake, role = "roles/storage.objectViewer" }
    create-final      = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/final.json" }
    replace-cursors   = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "state/" }
    replace-requested = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "build/requested.json" }
    read-quarantine   = { bucket = module.lake.quarantine_bucket, role = "roles/storage.objectViewer" }
    create-retries    = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "drop/" }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build_writes,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_reads_copies,
    google_storage_bucket_iam_member.build_reads,
  ]
}

module "sweep_schedule" {
  source = "./modules/schedule"

  caller_email = module.sweep.caller_email
  audience     = module.sweep.audience
  description  = "Looks every half hour for what was lost on the way."
  name         = "sweep"
  region       = var.region
  schedule     = "*/30 * * * *"
  url          = module.sweep.url

  depends_on = [google_project_service.this]
}
