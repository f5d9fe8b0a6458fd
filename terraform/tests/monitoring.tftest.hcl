mock_provider "google" {
  mock_resource "google_monitoring_notification_channel" {
    defaults = { id = "projects/acme-dev/notificationChannels/1" }
  }
}

mock_provider "time" {}

run "a_day_and_an_hour_without_news_is_silence" {
  module {
    source = "./modules/monitoring"
  }
  variables {
    api                       = "dev-api"
    buckets                   = { lake = "acme-dev-lake", quarantine = "acme-dev-quarantine" }
    channels                  = ["projects/acme-dev/notificationChannels/2"]
    dead_letter_subscriptions = ["a-dead"]
    emails                    = ["oncall@example.com"]
    functions                 = ["dev-load", "dev-sweep"]
    interval_hours            = 24
    job                       = "dev-dbt-runner"
    prefix                    = "dev-"
    project                   = { id = "acme-dev", region = "europe-west4" }
    runbook_url               = "https://wiki.example/millrace"
    schedules                 = ["dev-start-run", "dev-sweep"]
    subscriptions             = ["load-objects"]
    tables                    = ["commits"]
  }

  assert {
    condition     = toset(keys(google_monitoring_alert_policy.threshold)) == toset(["busy-function", "dead-letters", "failed-build", "failing-api", "failing-function", "long-build", "oldest-unacked", "silent-source-commits"])
    error_message = "one policy for each thing, and one for each table that may fall silent"
  }
  assert {
    condition     = google_monitoring_alert_policy.threshold["silent-source-commits"].conditions[0].condition_threshold[0].evaluation_missing_data == "EVALUATION_MISSING_DATA_ACTIVE"
    error_message = "a source that stops sends no data at all"
  }
  assert {
    condition     = alltrue([for each in google_monitoring_alert_policy.threshold : tonumber(trimsuffix(each.conditions[0].condition_threshold[0].duration, "s")) + tonumber(trimsuffix(each.conditions[0].condition_threshold[0].aggregations[0].alignment_period, "s")) <= 90000])
    error_message = "Cloud Monitoring looks back 25 hours at most"
  }
  assert {
    condition     = alltrue([for each in concat(values(google_monitoring_alert_policy.threshold), values(google_monitoring_alert_policy.log_line), [google_monitoring_alert_policy.no_heartbeat]) : length(each.notification_channels) == 2])
    error_message = "every alert has both channels"
  }
  assert {
    condition     = google_monitoring_alert_policy.log_line["run-not-final"].conditions[0].condition_matched_log[0].filter == "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = (\"dev-api\" OR \"dev-load\" OR \"dev-sweep\") AND jsonPayload.message = \"heartbeat\" AND jsonPayload.is_late = true"
    error_message = "what never worked is late too: the sweep says so from its first half hour on"
  }
  assert {
    condition     = google_monitoring_alert_policy.no_heartbeat.conditions[0].condition_absent[0].duration == "7200s"
    error_message = "a sweep that stops is noticed after two hours"
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.log_line["schedule"].documentation[0].content, "gcloud scheduler jobs run dev-start-run --project=acme-dev --location=europe-west4")
    error_message = "a text has the command with the names of this deployment"
  }
  assert {
    condition     = contains(google_monitoring_alert_policy.no_heartbeat.documentation[0].links[*].url, "https://wiki.example/millrace") && google_monitoring_alert_policy.no_heartbeat.display_name == "dev: The sweep does not report"
    error_message = "an alert links to the company's page, and names its deployment"
  }
}
