module "monitoring" {
  source = "./modules/monitoring"

  api                       = module.api.name
  buckets                   = { lake = module.lake.bucket, quarantine = module.lake.quarantine_bucket }
  channels                  = var.alert_channels
  dead_letter_subscriptions = [for topic in module.topic : topic.dead_letter_subscription]
  emails                    = var.alert_emails
  functions                 = concat([module.load.name, module.sweep.name], [for each in concat(module.start_run, values(module.extract), values(module.source_start), values(module.source_extract)) : each.name])
  interval_hours            = var.interval_hours
  job                       = module.dbt_runner.name
  prefix                    = local.prefix
  project                   = local.project
  runbook_url               = var.alert_runbook_url
  schedules                 = [for each in concat(module.schedule, values(module.source_schedule), [module.sweep_schedule]) : each.name]
  subscriptions             = concat(values(module.load.subscriptions), flatten([for each in concat(values(module.extract), values(module.source_extract)) : values(each.subscriptions)]))
  sources = { for key, each in local.source_endpoints :
    "${each.name} of ${local.sources[each.key].account}" => { function = module.source_extract[key].name, interval_hours = local.sources[each.key].interval_hours }
    if each.parent == null # the others have nothing to do in a run in which nothing changed
  }
  tables = toset(keys(local.tables))
}

module "costs" {
  source = "./modules/costs"

  developers     = var.developers
  interval_hours = local.intervals
}

# A budget names a project by its number, which is not asked for before its API is on.
data "google_project" "this" {
  count      = var.budget_usd_per_month == null ? 0 : 1
  project_id = local.project.id
  depends_on = [module.project]
}

resource "google_billing_budget" "this" {
  count           = var.budget_usd_per_month == null ? 0 : 1
  provider        = google.billing
  billing_account = var.billing_account
  display_name    = "${local.prefix}millrace"

  budget_filter {
    projects        = ["projects/${data.google_project.this[0].number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      currency_code = "USD"
      units         = tostring(var.budget_usd_per_month)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
    }
  }

  # Administrators of the billing account are notified in any case.
  dynamic "all_updates_rule" {
    for_each = length(module.monitoring.channels) > 0 ? [slice(module.monitoring.channels, 0, min(5, length(module.monitoring.channels)))] : []
    content {
      monitoring_notification_channels = all_updates_rule.value
    }
  }
}
