# A call at fixed times, repeated until it succeeds.
resource "google_cloud_scheduler_job" "this" {
  name             = var.name
  description      = var.description
  project          = var.project.id
  region           = var.project.region
  schedule         = var.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.timeout_s}s"

  retry_config {
    retry_count          = 5
    min_backoff_duration = "10s"
    max_backoff_duration = "600s"
  }

  http_target {
    http_method = "POST"
    uri         = var.url
    oidc_token {
      service_account_email = var.caller_email
      audience              = var.audience
    }
  }
}
