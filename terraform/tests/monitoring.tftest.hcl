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
    api                       = "api"
    dead_letter_subscriptions = ["a-dead"]
    emails                    = ["oncall@example.com"]
    interval_hours            = 24
    job                       = "dbt-runner"
    subscriptions             = ["load-objects"]
    tables                    = ["commits"]
  }

  assert {
    condition     = toset(keys(google_monitoring_alert_policy.threshold)) == toset(["oldest-unacked", "dead-letters", "failed-build", "failing-api", "run-not-final", "silent-source-commits"])
    error_message = "one policy for each thing, and one for each table that may fall silent"
  }
  assert {
    condition     = google_monitoring_alert_policy.threshold["silent-source-commits"].conditions[0].condition_threshold[0].evaluation_missing_data == "EVALUATION_MISSING_DATA_ACTIVE"
    error_message = "a source that never spoke is silent too"
  }
  assert {
    condition     = alltrue([for each in google_monitoring_alert_policy.threshold : tonumber(trimsuffix(each.conditions[0].condition_threshold[0].duration, "s")) + tonumber(trimsuffix(each.conditions[0].condition_threshold[0].aggregations[0].alignment_period, "s")) <= 90000])
    error_message = "Cloud Monitoring looks back 25 hours at most"
  }
  assert {
    condition     = alltrue([for each in merge(google_monitoring_alert_policy.threshold, google_monitoring_alert_policy.log_line) : length(each.notification_channels) == 1])
    error_message = "every alert has a channel"
  }
}
