output "accounts" {
  description = "The accounts that Snowflake knows: e-mail, and the subject of their identity tokens."
  value = {
    api        = { email = module.api.account_email, subject = module.api.account_subject }
    dbt-runner = { email = module.dbt_runner.account_email, subject = module.dbt_runner.account_subject }
    load       = { email = module.load.account_email, subject = module.load.account_subject }
    sweep      = { email = module.sweep.account_email, subject = module.sweep.account_subject }
  }
}

output "api_url" {
  description = "Where the read API answers, and shows its page."
  value       = module.api.url
}

output "buckets" {
  description = "Where the lake and what was set aside are."
  value = {
    lake       = "gs://${module.lake.bucket}"
    quarantine = "gs://${module.lake.quarantine_bucket}"
  }
}

output "cost_table_usd_per_month" {
  description = "The estimate by number of developers and hours from one run to the next."
  value       = module.costs.table_usd_per_month
}

output "cost_usd_per_month" {
  description = "What the chosen schedule costs about, with its parts."
  value       = module.costs.usd_per_month
}

output "deployed" {
  description = "What runs, by the hash of its content."
  value = {
    api        = google_storage_bucket_object.function["api"].name
    dbt-runner = module.dbt_runner_image.reference
    extract    = google_storage_bucket_object.function["extract"].name
    load       = google_storage_bucket_object.function["load"].name
  }
}

output "keeps_data" {
  description = "Whether a destroy is refused the data."
  value       = !var.delete_data
}
