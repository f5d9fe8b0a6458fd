output "accounts" {
  description = "The accounts that sign in to Snowflake: e-mail, and the subject of their identity tokens."
  value = {
    api        = { email = module.api.account_email, subject = module.api.account_subject }
    dbt-runner = { email = module.dbt_runner.account_email, subject = module.dbt_runner.account_subject }
    load       = { email = module.load.account_email, subject = module.load.account_subject }
    sweep      = { email = module.sweep.account_email, subject = module.sweep.account_subject }
  }
}

output "api_url" {
  description = "URL of the read API and its page."
  value       = module.api.url
}

output "buckets" {
  description = "Buckets of the lake and of the quarantine."
  value = {
    lake       = "gs://${module.lake.bucket}"
    quarantine = "gs://${module.lake.quarantine_bucket}"
  }
}

output "cost_table_usd_per_month" {
  description = "The cost estimate by number of developers and hours from one run to the next."
  value       = module.costs.table_usd_per_month
}

output "cost_usd_per_month" {
  description = "The cost estimate for the chosen schedules, with its parts."
  value       = module.costs.usd_per_month
}

output "deployed" {
  description = "The deployed images of functions and job, by their digests."
  value       = local.images
}

output "keeps_data" {
  description = "Whether a destroy must keep the data."
  value       = !var.delete_data
}

output "snowflake" {
  description = "Names in the Snowflake account: the database, the warehouse, and the role to grant to those who read the marts."
  value       = module.snowflake.names
}

output "sources" {
  description = "The sources with an account: the end of their runs' names, and the schedules that start these."
  value       = { for key, each in local.sources : key => { account = each.account, schedule = module.source_schedule[key].name } }
}
