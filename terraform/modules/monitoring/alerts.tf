# One policy for each event that needs a person; docs/operations.md has an entry for each: its meaning and the commands.
locals {
  _seconds = var.interval_hours * 3600

  _one_of = { for key, names in { live = var.subscriptions, dead = var.dead_letter_subscriptions } :
    key => "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = one_of(${join(", ", [for name in sort(names) : "\"${name}\""])})"
  }
  _logged = { for key, metric in google_logging_metric.this :
    key => "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${metric.name}\""
  }

  # The value of `filter` within `window_s` is `over` or `under` a number for `for_s` seconds.
  _thresholds = merge(
    {
      oldest-unacked = {
        title   = "A message waits for more than an hour"
        filter  = "${local._one_of.live} AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
        aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", window_s = 300, for_s = 0, over = 3600, under = null
      }
      dead-letters = {
        title   = "There are dead letters"
        filter  = "${local._one_of.dead} AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
        aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", window_s = 300, for_s = 0, over = 0, under = null
      }
      failed-build = {
        title   = "A build failed"
        filter  = "resource.type = \"cloud_run_job\" AND resource.labels.job_name = \"${var.job}\" AND metric.type = \"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result = \"failed\""
        aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = 300, for_s = 0, over = 0, under = null
      }
      failing-api = {
        title   = "The read API fails"
        filter  = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${var.api}\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
        aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = 300, for_s = 0, over = 4, under = null # one page load sends more than four requests
      }
      run-not-final = {
        title   = "No run was completed"
        filter  = local._logged.run-completed
        aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = local._seconds, for_s = 3600, over = null, under = 1
      }
    },
    { for table in var.tables : "silent-source-${table}" => {
      title   = "Nothing was extracted of ${table}"
      filter  = "${local._logged.extracted} AND metric.labels.table = \"${table}\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = local._seconds, for_s = 3600, over = null, under = 1
    } },
  )

  _log_lines = {
    quarantined = { title = "An object was quarantined", filter = "jsonPayload.message = \"quarantined\"" }
    run-failed  = { title = "A run was given up", filter = "jsonPayload.message = \"run ended\" AND jsonPayload.status = \"failed\"" }
  }

  channels = [for channel in google_monitoring_notification_channel.email : channel.id]
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = var.emails
  display_name = each.value
  type         = "email"
  labels       = { email_address = each.value }
}

# Counts of messages that the functions log; the texts are those in the code.
resource "google_logging_metric" "this" {
  for_each = {
    extracted     = { filter = "jsonPayload.message = \"extracted\"", label = "table" }
    run-completed = { filter = "jsonPayload.message = \"run ended\" AND jsonPayload.status = \"complete\"", label = null }
  }
  name   = "millrace-${each.key}"
  filter = "resource.type = \"cloud_run_revision\" AND ${each.value.filter}"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    dynamic "labels" {
      for_each = each.value.label[*]
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }
  label_extractors = each.value.label == null ? {} : { (each.value.label) = "EXTRACT(jsonPayload.${each.value.label})" }
}

# Cloud Monitoring refuses an alert on a metric that does not exist yet.
resource "time_sleep" "metrics_known" {
  create_duration = "60s"
  triggers        = { for key, metric in google_logging_metric.this : key => metric.id }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each              = local._thresholds
  display_name          = each.value.title
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = each.value.over == null ? "COMPARISON_LT" : "COMPARISON_GT"
      threshold_value = each.value.over == null ? each.value.under : each.value.over
      duration        = "${each.value.for_s}s"
      # If too few are an alert, missing data is one too.
      evaluation_missing_data = each.value.over == null ? "EVALUATION_MISSING_DATA_ACTIVE" : null
      aggregations {
        alignment_period     = "${each.value.window_s}s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.reducer
      }
    }
  }

  documentation {
    content = "See the entry \"${each.value.title}\" in docs/operations.md."
  }

  depends_on = [time_sleep.metrics_known]
}

resource "google_monitoring_alert_policy" "log_line" {
  for_each              = local._log_lines
  display_name          = each.value.title
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter = "resource.type = \"cloud_run_revision\" AND ${each.value.filter}"
    }
  }

  alert_strategy {
    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    content = "See the entry \"${each.value.title}\" in docs/operations.md."
  }
}
