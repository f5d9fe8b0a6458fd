module "monitoring" {
  source = "./modules/monitoring"

  api                       = module.api.name
  dead_letter_subscriptions = [for topic in module.topic : topic.dead_letter_subscription]
  emails                    = var.alert_emails
  interval_hours            = var.interval_hours
  job                       = module.dbt_runner.name
  subscriptions             = concat(values(module.load.subscriptions), flatten([for each in module.extract : values(each.subscriptions)]))
  tables                    = toset(keys(local.tables))

  depends_on = [google_project_service.this]
}

module "costs" {
  source = "./modules/costs"

  developers     = var.developers
  interval_hours = var.interval_hours
}
