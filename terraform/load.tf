locals {
  # A function of functions/load; docs/settings.md lists its settings.
  _load_environment = {
    MILLRACE_BUS        = local.bus
    MILLRACE_JOB        = "run:///projects/${var.project_id}/locations/${var.region}/jobs/${module.dbt_runner.name}"
    MILLRACE_LAKE       = "gs://${local.lake}"
    MILLRACE_MEMORY     = "800MB"
    MILLRACE_QUARANTINE = "gs://${module.lake.quarantine_bucket}"
  }
}

# Who takes the write lock of Snowflake, and in how many instances at most; each handles one request at a time. Snowflake
# lets 20 statements wait for a lock, and the next fails at once: the module of Snowflake holds the sum below that. While
# a new revision starts, the old one may still run as many: those beyond the limit fail once and are delivered again.
locals {
  writers = { BUILDER = 1, LOADER = 10, SWEEPER = 1 }
}

module "load" {
  source = "./modules/service"

  args          = ["--source=/app/functions/load/main.py", "--target=load", "--signature-type=cloudevent"]
  description   = "Loads each new object into the warehouse, and starts the build when a run is final."
  environment   = merge(local._load_environment, { MILLRACE_WAREHOUSE = local.warehouse["LOADER"].address })
  image         = local.images.functions
  max_instances = local.writers.LOADER
  memory        = "2Gi"
  name          = "${local.prefix}load"
  project       = local.project
  secrets       = local.warehouse["LOADER"].secrets
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
  vpc = local.vpc
}

# An event cannot start a job by itself: the load function starts it when a run is final.
resource "google_cloud_run_v2_job_iam_member" "load_starts_builds" {
  project  = local.project.id
  name     = module.dbt_runner.name
  location = var.region
  role     = local.job_starter
  member   = module.load.member
}

# The sweep starts it too, when it finds that an older warehouse was restored.
resource "google_cloud_run_v2_job_iam_member" "sweep_starts_builds" {
  project  = local.project.id
  name     = module.dbt_runner.name
  location = var.region
  role     = local.job_starter
  member   = module.sweep.member
}

# Before the first complete run, the sweep counts the hours from here.
resource "time_static" "deployed" {}

module "sweep" {
  source = "./modules/service"

  args        = ["--source=/app/functions/load/main.py", "--target=sweep", "--signature-type=http"]
  description = "Asks again for what was lost on the way, so that every run ends, and loads what the warehouse lacks."
  environment = merge(local._load_environment, {
    MILLRACE_SILENT_H  = min(local.intervals...) + 1 # the newest complete run of all sources is younger
    MILLRACE_SINCE     = time_static.deployed.rfc3339
    MILLRACE_WAREHOUSE = local.warehouse["SWEEPER"].address
  })
  image         = local.images.functions
  max_instances = local.writers.SWEEPER
  memory        = "2Gi"
  name          = "${local.prefix}sweep"
  project       = local.project
  publishes_to = {
    extract-requests = module.topic["extract-requests"].id
    object-events    = module.topic["object-events"].id
  }
  secrets = local.warehouse["SWEEPER"].secrets
  storage = merge(
    {
      read-lake         = { bucket = local.lake, role = "roles/storage.objectViewer" }
      create-final      = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/final.json" }
      replace-cursors   = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "state/" }
      replace-requested = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "build/requested.json" }
      read-quarantine   = { bucket = module.lake.quarantine_bucket, role = "roles/storage.objectViewer" }
      create-retries    = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "drop/" }
    },
    # It starts the run that follows another one of a source, where the function that ended that one did not.
    { for key, end in local._of_account : "create-plan-${key}" => {
      bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "${end}plan.json"
    } },
  )
  vpc = local.vpc
}

module "sweep_schedule" {
  source = "./modules/schedule"

  caller_email = module.sweep.caller_email
  audience     = module.sweep.audience
  description  = "Looks every half hour for what was lost on the way."
  name         = "${local.prefix}sweep"
  project      = local.project
  schedule     = "*/30 * * * *"
  url          = module.sweep.url
}
