locals {
  endpoints = jsondecode(file("${path.module}/tables.json")) # of src/millrace/tables, see write_tables.py
  lake      = module.lake.bucket

  # The source of source_url, which has no account; sources.tf has the others.
  has_source_url = var.source_url != null
  tables = {
    for name, endpoint in local.endpoints : name => endpoint if alltrue([
      local.has_source_url,
      endpoint.source == "cursor-sim",
      length(var.source_objects) == 0 || contains(var.source_objects, endpoint.objects),
    ])
  }

  # The addresses that several functions have.
  bus        = "pubsub:///projects/${var.project_id}${var.prefix == "" ? "" : "?prefix=${local.prefix}"}"
  delivery_s = 540 # within the 600 s after which Pub/Sub delivers again
  vpc        = var.vpc_connector == null && var.vpc_subnetwork == null ? null : { connector = var.vpc_connector, subnetwork = var.vpc_subnetwork }

  # A function of functions/extract; docs/settings.md lists its settings.
  _extract_environment = {
    MILLRACE_BUS                 = local.bus
    MILLRACE_LAKE                = "gs://${local.lake}"
    MILLRACE_REQUESTS_PER_MINUTE = var.source_requests_per_minute
    MILLRACE_SOURCE_URL          = var.source_url
  }
}

module "start_run" {
  count  = local.has_source_url ? 1 : 0
  source = "./modules/service"

  args        = ["--source=/app/functions/extract/main.py", "--target=start_run", "--signature-type=http"]
  description = "Starts a run: writes its plan and requests its tasks."
  environment = merge(
    local._extract_environment,
    length(var.source_objects) == 0 ? {} : { MILLRACE_OBJECTS = join(",", sort(var.source_objects)) },
    { MILLRACE_SOURCE_KEY = "not-needed-to-start-a-run" }, # the setting is required; this account cannot read the secret
  )
  image   = local.images.functions
  memory  = "512Mi"
  name    = "${local.prefix}start-run"
  project = local.project
  publishes_to = {
    extract-requests = module.topic["extract-requests"].id
  }
  storage = {
    list-lake   = { bucket = local.lake, role = local.object_lister }
    create-plan = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/plan.json" }
    read-plan   = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "runs/", suffix = "/plan.json" }
  }
  vpc = local.vpc
}

module "extract" {
  for_each = local.tables
  source   = "./modules/service"

  args          = ["--source=/app/functions/extract/main.py", "--target=extract_${each.key}", "--signature-type=cloudevent"]
  description   = "Extracts ${each.key} of one run."
  environment   = merge(local._extract_environment, { MILLRACE_DELIVERY_S = local.delivery_s })
  image         = local.images.functions
  max_instances = 2 # a delivery, and the message by which it asks for the rest; the limit of requests is shared in the lake
  memory        = "2Gi"
  name          = "${local.prefix}extract-${replace(each.key, "_", "-")}"
  project       = local.project
  publishes_to = {
    extract-events   = module.topic["extract-events"].id
    extract-requests = module.topic["extract-requests"].id # the rest of a task that does not fit into one delivery
  }
  secrets = {
    MILLRACE_SOURCE_KEY = { id = module.source_key[0].id, version = module.source_key[0].version }
  }
  storage = merge(
    {
      list-lake        = { bucket = local.lake, role = local.object_lister }
      create-parts     = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "raw/${each.key}/" }
      create-record    = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/tasks/${each.key}.json" }
      replace-failure  = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "runs/", suffix = "/failures/${each.key}.json" }
      replace-progress = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "runs/", suffix = "/progress/${each.key}.json" }
      replace-rate     = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "state/rate.json" }
      read-runs        = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "runs/" }
      read-cursor      = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "state/${each.key}.json" }
    },
    each.value.parent == null ? {} : {
      read-parent = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "raw/${each.value.parent}/" }
    },
  )
  # No endpoint of another source has these names, so no message with an account passes. A filter is never changed: a
  # subscription with another one is a new subscription, without the messages of the old one.
  subscriptions = merge(
    { requests = { topic = module.topic["extract-requests"], filter = "attributes.table = \"${each.key}\"" } },
    each.value.parent == null ? {} : {
      parent = { topic = module.topic["extract-events"], filter = "attributes.table = \"${each.value.parent}\"" }
    },
  )
  timeout_s = local.delivery_s
  vpc       = local.vpc
}

# The scheduler's time names the run: a call made twice starts one run.
module "schedule" {
  count  = local.has_source_url ? 1 : 0
  source = "./modules/schedule"

  caller_email = module.start_run[0].caller_email
  audience     = module.start_run[0].audience
  description  = "Starts a run every ${var.interval_hours} h."
  name         = "${local.prefix}start-run"
  project      = local.project
  schedule     = var.interval_hours == 24 ? "0 3 * * *" : "0 */${var.interval_hours} * * *"
  url          = module.start_run[0].url
}

# Until sources could be given, source_url was required.
moved {
  from = module.start_run
  to   = module.start_run[0]
}

moved {
  from = module.schedule
  to   = module.schedule[0]
}

moved {
  from = module.source_key
  to   = module.source_key[0]
}
