output "account_email" {
  description = "The account that the function runs as."
  value       = google_service_account.this.email
}

output "account_subject" {
  description = "The subject of that account's identity tokens."
  value       = google_service_account.this.unique_id
}

output "audience" {
  description = "The audience that a caller's token must have."
  value       = local.audience
}

output "caller_email" {
  description = "The only account that may call the function; null when it has invokers."
  value       = one(google_service_account.caller[*].email)
}

output "member" {
  description = "The function's account, as an IAM member."
  value       = google_service_account.this.member
}

output "name" {
  description = "Its name, which is also that of its service."
  value       = google_cloudfunctions2_function.this.name
}

output "subscriptions" {
  description = "Names of the subscriptions that push to it."
  value       = { for key, each in google_pubsub_subscription.this : key => each.name }
}

output "url" {
  description = "URL of the function; known when it may be called."
  value       = google_cloudfunctions2_function.this.service_config[0].uri
  depends_on  = [google_cloud_run_v2_service_iam_member.caller, google_cloud_run_v2_service_iam_member.invokers]
}
