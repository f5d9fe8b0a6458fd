# The sources that have an account: each with a secret, functions and a schedule of its own.
locals {
  sources = { for key, each in var.sources : key => merge(each, {
    account = lower(coalesce(each.owner, key))

    # The begin of its names: a service has 25 characters; "-commits" and a prefix need 12 of them.
    label = "gh-${length(key) <= 10 ? key : "${substr(key, 0, 4)}-${substr(sha1(key), 0, 5)}"}"
  }) }

  # A function of functions/extract with an account; docs/settings.md lists its settings.
  _source_environment = { for key, each in local.sources : key => merge(
    {
      MILLRACE_ACCOUNT      = each.account
      MILLRACE_BODIES       = each.bodies ? "on" : "off"
      MILLRACE_BUS          = local.bus
      MILLRACE_FIRST_DAYS   = each.first_days
      MILLRACE_LAKE         = "gs://${local.lake}"
      MILLRACE_REPOSITORIES = join(",", sort(each.repositories))
      MILLRACE_SOURCE       = each.kind
      MILLRACE_TITLES       = each.titles ? "on" : "off"
    },
    each.url == null ? {} : { MILLRACE_SOURCE_URL = trimsuffix(each.url, "/") },
  ) }

  # The names of runs of an account end so. No other account's do: the Z is the only capital after the T.
  _of_account = { for key, each in local.sources : key => "Z-${each.account}/" }

  # One function for each endpoint of a source. With a task for each repository, the names of its tasks begin so.
  source_endpoints = merge({}, [for key, source in local.sources : {
    for name, endpoint in local.endpoints : "${key}/${name}" => merge(endpoint, {
      key  = key
      name = name
      task = endpoint.per_repository ? "${name}__" : name
      end  = "${source.label}-${replace(replace(trimprefix(name, "${source.kind}_"), "pull_requests", "pulls"), "_", "-")}"
    }) if endpoint.source == source.kind
  }]...)

  # What all functions of a source may do in the lake.
  _source_storage = { for key, each in local.sources : key => {
    list-lake   = { bucket = local.lake, role = local.object_lister }
    create-plan = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "runs/", suffix = "${local._of_account[key]}plan.json" }
    read-runs   = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "runs/", middle = local._of_account[key] }
    read-state  = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "state/${each.account}/" }
  } }
}

module "source_start" {
  for_each = local.sources
  source   = "./modules/service"

  args        = ["--source=/app/functions/extract/main.py", "--target=start_run", "--signature-type=http"]
  description = "Starts a run of ${each.value.account}: writes its plan and requests its tasks."
  environment = merge(local._source_environment[each.key], {
    MILLRACE_SOURCE_KEY = "not-needed-to-start-a-run" # the setting is required; this account cannot read the secret
  })
  image   = local.images.functions
  memory  = "512Mi"
  name    = "${local.prefix}${each.value.label}-start"
  project = local.project
  publishes_to = {
    extract-requests = module.topic["extract-requests"].id
  }
  storage = local._source_storage[each.key]
  vpc     = local.vpc
}

module "source_extract" {
  for_each = local.source_endpoints
  source   = "./modules/service"

  args        = ["--source=/app/functions/extract/main.py", "--target=extract_${each.value.name}", "--signature-type=cloudevent"]
  description = "Extracts ${each.value.name} of ${local.sources[each.value.key].account}."
  environment = merge(
    local._source_environment[each.value.key],
    { MILLRACE_DELIVERY_S = local.delivery_s },
    { for id in local.sources[each.value.key].app_id[*] : "MILLRACE_GITHUB_APP_ID" => id },
  )
  image = local.images.functions
  # GitHub limits what asks at the same time, and the code asks one GraphQL query at a time: one instance, one message.
  max_instances = 1
  memory        = "2Gi"
  name          = "${local.prefix}${each.value.end}"
  project       = local.project
  publishes_to = {
    extract-events   = module.topic["extract-events"].id
    extract-requests = module.topic["extract-requests"].id # the rest of a task, the tasks of repositories, the next run
  }
  secrets = {
    (local.sources[each.value.key].app_id == null ? "MILLRACE_SOURCE_KEY" : "MILLRACE_GITHUB_APP_KEY") = {
      id      = module.source_secret[each.value.key].id
      version = module.source_secret[each.value.key].version
    }
  }
  # Whichever writes the last record of a run starts the next one, so each may create a plan.
  storage = merge(
    local._source_storage[each.value.key],
    { for table in each.value.feeds : "create-parts-${table}" => {
      bucket = local.lake
      role   = "roles/storage.objectCreator"
      prefix = "raw/${table}/"
      middle = "${local._of_account[each.value.key]}${each.value.per_repository ? each.value.task : "${each.value.task}-"}"
      suffix = ".parquet"
    } },
    {
      for folder, right in {
        tasks    = { name = "create-record", role = "roles/storage.objectCreator" }
        failures = { name = "replace-failure", role = "roles/storage.objectUser" }
        progress = { name = "replace-progress", role = "roles/storage.objectUser" }
        } : right.name => {
        bucket = local.lake
        role   = right.role
        prefix = "runs/"
        middle = each.value.per_repository ? "${local._of_account[each.value.key]}${folder}/${each.value.task}" : null
        suffix = each.value.per_repository ? ".json" : "${local._of_account[each.value.key]}${folder}/${each.value.task}.json"
      }
    },
    {
      replace-rate = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "state/${local.sources[each.value.key].account}/rate.json" }
    },
    each.value.parent == null ? {} : {
      read-parent = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "raw/${each.value.parent}/", middle = local._of_account[each.value.key] }
    },
  )
  # The tasks of repositories wait for the one instance, and each try that finds it busy counts: 100 take some 16 hours.
  subscriptions = merge(
    { requests = {
      topic    = module.topic["extract-requests"]
      filter   = "attributes.table = \"${each.value.name}\" AND attributes.account = \"${local.sources[each.value.key].account}\""
      attempts = each.value.per_repository ? 100 : 20
    } },
    # A parent requests the tasks of repositories itself.
    each.value.parent == null || each.value.per_repository ? {} : { parent = {
      topic  = module.topic["extract-events"]
      filter = "attributes.table = \"${coalesce(each.value.parent, "-")}\" AND attributes.account = \"${local.sources[each.value.key].account}\""
    } },
  )
  timeout_s = local.delivery_s
  vpc       = local.vpc
}

# The scheduler's time names the run, with the account: a call made twice starts one run.
module "source_schedule" {
  for_each = local.sources
  source   = "./modules/schedule"

  caller_email = module.source_start[each.key].caller_email
  audience     = module.source_start[each.key].audience
  description  = "Starts a run of ${each.value.account} every ${each.value.interval_hours} h."
  name         = "${local.prefix}${each.value.label}-start"
  project      = local.project
  schedule     = each.value.interval_hours == 24 ? "0 3 * * *" : "0 */${each.value.interval_hours} * * *"
  url          = module.source_start[each.key].url
}
