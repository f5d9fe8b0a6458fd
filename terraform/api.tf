# The read API and its page. People call it, so no account is made to call it; the platform checks each caller.
module "api" {
  source = "./modules/function"

  concurrency = 40 # most responses are cached, or wait for Snowflake
  description = "Answers questions about the marts, and shows them on a page."
  entry_point = "api"
  environment = {
    MILLRACE_LAKE       = "gs://${local.lake}"
    MILLRACE_MEMORY     = "800MB"
    MILLRACE_QUARANTINE = "gs://${module.lake.quarantine_bucket}"
    MILLRACE_SILENT_H   = var.interval_hours + 1 # the same as in the alert
    MILLRACE_WAREHOUSE  = module.snowflake.addresses["API"]
  }
  ingress       = var.api_ingress
  invokers      = var.api_readers
  max_instances = 4 # each has at most four sessions of Snowflake
  memory        = "1Gi"
  name          = "api"
  package       = google_storage_bucket_object.function["api"]
  platform      = local.function_defaults
  secrets       = local.snowflake_secrets["API"]
  storage = {
    list-lake       = { bucket = local.lake, role = local.object_lister }
    read-runs       = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "runs/" }
    read-requested  = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "build/requested.json" }
    read-lease      = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "build/lease.json" }
    list-quarantine = { bucket = module.lake.quarantine_bucket, role = local.object_lister }
    read-reasons    = { bucket = module.lake.quarantine_bucket, role = "roles/storage.objectViewer", prefix = "quarantine/", suffix = ".json" }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build_writes,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_reads_copies,
    google_storage_bucket_iam_member.build_reads,
  ]
}
