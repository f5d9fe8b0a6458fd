locals {
  # Hours from one run to the next, of each schedule that starts runs.
  intervals = concat(local.has_source_url ? [var.interval_hours] : [], [for each in local.sources : each.interval_hours])

  _people_key = {
    for key in var.people == "pseudonyms" ? var.people_key[*] : [] : "MILLRACE_PEOPLE_KEY" => { id = key.secret, version = key.version }
  }

  # Cloud Run's words for those of api_ingress, which are older.
  _ingress = {
    ALLOW_ALL               = "INGRESS_TRAFFIC_ALL"
    ALLOW_INTERNAL_AND_GCLB = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    ALLOW_INTERNAL_ONLY     = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  }
}

# The read API and its page. People call it, so no account is made to call it; the platform checks each caller.
module "api" {
  source = "./modules/service"

  command     = ["python", "/app/functions/api/main.py"]
  concurrency = 40 # most responses are cached, or wait for Snowflake
  description = "Answers questions about the marts, and shows them on a page."
  environment = {
    MILLRACE_LAKE       = "gs://${local.lake}"
    MILLRACE_MEMORY     = "800MB"
    MILLRACE_PEOPLE     = var.people
    MILLRACE_QUARANTINE = "gs://${module.lake.quarantine_bucket}"
    MILLRACE_SILENT_H   = max(local.intervals...) + 1 # the status compares each table with it
    MILLRACE_WAREHOUSE  = local.warehouse["API"].address
  }
  iap           = var.api_iap
  image         = local.images.functions
  ingress       = local._ingress[var.api_ingress]
  invokers      = var.api_readers
  max_instances = 4 # each has at most four sessions of Snowflake
  memory        = "1Gi"
  name          = "${local.prefix}api"
  project       = local.project
  secrets       = merge(local.warehouse["API"].secrets, local._people_key)
  storage = {
    list-lake       = { bucket = local.lake, role = local.object_lister }
    read-runs       = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "runs/" }
    read-requested  = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "build/requested.json" }
    read-lease      = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "build/lease.json" }
    list-quarantine = { bucket = module.lake.quarantine_bucket, role = local.object_lister }
    read-reasons    = { bucket = module.lake.quarantine_bucket, role = "roles/storage.objectViewer", prefix = "quarantine/", suffix = ".json" }
  }
  vpc = local.vpc
}
