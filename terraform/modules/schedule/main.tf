# The scheduled kick-off. The scheduler's time names the run: a delivery made twice starts one run.
resource "google_cloud_scheduler_job" "this" {
  name             = "start-run"
  description      = "Starts a run every ${var.interval_hours} h."
  region           = var.region
  schedule         = var.interval_hours == 24 ? "0 3 * * *" : "0 */${var.interval_hours} * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "180s"

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
