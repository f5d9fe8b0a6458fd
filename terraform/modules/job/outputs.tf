output "account_email" {
  description = "The account that the job runs as."
  value       = google_service_account.this.email
}

output "account_subject" {
  description = "The subject of that account's identity tokens."
  value       = google_service_account.this.unique_id
}

output "name" {
  description = "Name of the job."
  value       = google_cloud_run_v2_job.this.name
}
