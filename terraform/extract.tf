locals {
  tables = jsondecode(file("${path.module}/tables.json")) # of src/millrace/tables.py, see write_tables.py
  lake   = module.lake.bucket

  # A function of functions/extract; docs/settings.md lists its settings.
  _extract_environment = {
    MILLRACE_BUS                 = "pubsub:///projects/${var.project_id}"
    MILLRACE_LAKE                = "gs://${local.lake}"
    MILLRACE_REQUESTS_PER_MINUTE = floor(var.source_requests_per_minute / 2)
    MILLRACE_SOURCE_URL          = var.source_url
  }

  # The settings that all functions share.
  function_defaults = {
    build_account = google_service_account.build.id
    kms_key       = var.kms_key
    project_id    = var.project_id
    pubsub_agent  = google_project_service_identity.this["pubsub.googleapis.com"].member
    region        = var.region
    repository    = google_artifact_registry_repository.this["functions"].id
    vpc_connector = var.vpc_connector
  }
}

module "start_run" {
  source = "./modules/function"

  description = "Starts a run: writes its plan and requests its tasks."
  entry_point = "start_run"
  environment = merge(local._extract_environment, {
    MILLRACE_SOURCE_KEY = "not-needed-to-start-a-run" # the setting is required; this account cannot read the secret
  })
  memory   = "512Mi"
  name     = "start-run"
  package  = google_storage_bucket_object.function["extract"]
  platform = local.function_defaults
  publishes_to = {
    extract-requests = module.topic["extract-requests"].id
  }
  storage = {
    list-lake   = { bucket = local.lake, role = local.object_lister }
    create-plan = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/plan.json" }
    read-plan   = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "runs/", suffix = "/plan.json" }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build_writes,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_reads_copies,
    google_storage_bucket_iam_member.build_reads,
  ]
}

module "extract" {
  for_each = local.tables
  source   = "./modules/function"

  description   = "Extracts ${each.key} of one run."
  entry_point   = "extract_${each.key}"
  environment   = local._extract_environment
  max_instances = 1 # the rate budget is that of one process
  memory        = "2Gi"
  name          = "extract-${replace(each.key, "_", "-")}"
  package       = google_storage_bucket_object.function["extract"]
  platform      = local.function_defaults
  publishes_to = {
    extract-events = module.topic["extract-events"].id
  }
  secrets = {
    MILLRACE_SOURCE_KEY = { id = module.source_key.id, version = module.source_key.version }
  }
  storage = merge(
    {
      list-lake       = { bucket = local.lake, role = local.object_lister }
      create-parts    = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "raw/${each.key}/" }
      create-record   = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/tasks/${each.key}.json" }
      replace-failure = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "runs/", suffix = "/failures/${each.key}.json" }
      read-runs       = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "runs/" }
      read-cursor     = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "state/${each.key}.json" }
    },
    each.value.parent == null ? {} : {
      read-parent = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "raw/${each.value.parent}/" }
    },
  )
  subscriptions = merge(
    { requests = { topic = module.topic["extract-requests"], filter = "attributes.table = \"${each.key}\"" } },
    each.value.parent == null ? {} : {
      parent = { topic = module.topic["extract-events"], filter = "attributes.table = \"${each.value.parent}\"" }
    },
  )

  depends_on = [
    google_artifact_registry_repository_iam_member.build_writes,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_reads_copies,
    google_storage_bucket_iam_member.build_reads,
  ]
}

# The scheduler's time names the run: a call made twice starts one run.
module "schedule" {
  source = "./modules/schedule"

  caller_email = module.start_run.caller_email
  audience     = module.start_run.audience
  description  = "Starts a run every ${var.interval_hours} h."
  name         = "start-run"
  region       = var.region
  schedule     = var.interval_hours == 24 ? "0 3 * * *" : "0 */${var.interval_hours} * * *"
  url          = module.start_run.url

  depends_on = [google_project_service.this]
}
