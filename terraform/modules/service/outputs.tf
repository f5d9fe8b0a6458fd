output "account_email" {
  description = "The account that the service runs as."
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
  description = "The only account that may call the service; null when it has invokers."
  value       = one(google_service_account.caller[*].email)
}

output "member" {
  description = "The service's account, as an IAM member."
  value       = google_service_account.this.member
}

output "name" {
  description = "Its name."
  value       = google_cloud_run_v2_service.this.name
}

output "subscriptions" {
  description = "Names of the subscriptions that push to it."
  value       = { for key, each in google_pubsub_subscription.this : key => each.name }
}

output "url" {
  description = "URL of the service; known when it may be called."
  value       = google_cloud_run_v2_service.this.uri
  depends_on = [
    google_cloud_run_v2_service_iam_member.caller,
    google_cloud_run_v2_service_iam_member.invokers,
    google_cloud_run_v2_service_iam_member.proxy,
    google_iap_web_cloud_run_service_iam_member.invokers,
  ]
}
