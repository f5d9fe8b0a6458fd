# One policy for each event that needs a person. Its text is in texts/, with the commands; docs/operations.md has the same.
locals {
  _hours = var.interval_hours * 3600

  _one_of = { for key, names in {
    api       = { label = "service_name", kind = "cloud_run_revision", names = [var.api] }
    dead      = { label = "subscription_id", kind = "pubsub_subscription", names = var.dead_letter_subscriptions }
    functions = { label = "service_name", kind = "cloud_run_revision", names = var.functions }
    job       = { label = "job_name", kind = "cloud_run_job", names = [var.job] }
    live      = { label = "subscription_id", kind = "pubsub_subscription", names = var.subscriptions }
    } : key => "resource.type = \"${names.kind}\" AND resource.labels.${names.label} = one_of(${join(", ", [for name in sort(names.names) : "\"${name}\""])})"
  }
  _requests = "metric.type = \"run.googleapis.com/request_count\""

  # The value of `filter` within `window_s` is `over` or `under` a number for `for_s` seconds, for each value of `by`.
  _thresholds = merge(
    {
      oldest-unacked = {
        title   = "A message waits for more than an hour", severity = "WARNING", text = "oldest-unacked", by = []
        filter  = "${local._one_of.live} AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
        aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", window_s = 300, for_s = 0, over = 3600, under = null
      }
      dead-letters = {
        title   = "There are dead letters", severity = "ERROR", text = "dead-letters", by = []
        filter  = "${local._one_of.dead} AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
        aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", window_s = 300, for_s = 0, over = 0, under = null
      }
      failed-build = {
        title   = "A build failed", severity = "ERROR", text = "failed-build", by = []
        filter  = "${local._one_of.job} AND metric.type = \"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result = \"failed\""
        aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = 300, for_s = 0, over = 0, under = null
      }
      long-build = {
        title   = "A build takes longer than 45 minutes", severity = "WARNING", text = "long-build", by = []
        filter  = "${local._one_of.job} AND metric.type = \"run.googleapis.com/job/running_executions\""
        aligner = "ALIGN_MIN", reducer = "REDUCE_SUM", window_s = 300, for_s = 2700, over = 0, under = null # the job's time limit is an hour
      }
      failing-api = {
        title   = "The read API fails", severity = "ERROR", text = "failing-api", by = []
        filter  = "${local._one_of.api} AND ${local._requests} AND metric.labels.response_code_class = \"5xx\""
        aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = 300, for_s = 0, over = 4, under = null # one page load sends more than four requests
      }
      failing-function = {
        title   = "A function answers with errors", severity = "WARNING", text = "failing-function", by = ["resource.labels.service_name"]
        filter  = "${local._one_of.functions} AND ${local._requests} AND metric.labels.response_code_class = \"5xx\""
        aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = 1800, for_s = 0, over = 5, under = null # a message is delivered some 7 times in half an hour
      }
      busy-function = {
        title   = "A function has no instance left", severity = "WARNING", text = "busy-function", by = ["resource.labels.service_name"]
        filter  = "${local._one_of.functions} AND ${local._requests} AND metric.labels.response_code = \"429\""
        aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = 3600, for_s = 3600, over = 60, under = null # an extraction has one instance, so some are normal
      }
    },
    # Cloud Monitoring notices that a series stops, not that there never was one: what never worked is "No run was completed".
    { for table in var.tables : "silent-source-${table}" => {
      title   = "Nothing was extracted of ${table}", severity = "WARNING", text = "silent-source", by = []
      filter  = "${local._logged.extracted} AND metric.labels.table = \"${table}\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = local._hours, for_s = 3600, over = null, under = 1
    } },
    { for name, source in var.sources : "silent-source-${replace(name, " ", "-")}" => {
      title   = "Nothing was extracted of ${name}", severity = "WARNING", text = "silent-source", by = []
      filter  = "${local._logged.extracted} AND resource.labels.service_name = \"${source.function}\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", window_s = source.interval_hours * 3600, for_s = 3600, over = null, under = 1
    } },
  )

  # A matching log line opens it; within `repeat_s` further lines do not notify again.
  _log_lines = {
    quarantined = {
      title  = "An object was quarantined", severity = "WARNING", repeat_s = 3600
      filter = "${local._functions} AND jsonPayload.message = \"quarantined\""
    }
    run-failed = {
      title  = "A run was given up", severity = "ERROR", repeat_s = 3600
      filter = "${local._functions} AND jsonPayload.message = \"run ended\" AND jsonPayload.status = \"failed\""
    }
    run-not-final = {
      title  = "No run was completed", severity = "CRITICAL", repeat_s = 6 * 3600 # the sweep reports it each half hour
      filter = "${local._functions} AND jsonPayload.message = \"heartbeat\" AND jsonPayload.is_late = true"
    }
    schedule = {
      title  = "A schedule fails", severity = "ERROR", repeat_s = 6 * 3600
      filter = "resource.type = \"cloud_scheduler_job\" AND resource.labels.job_id = (${join(" OR ", [for name in sort(var.schedules) : "\"${name}\""])}) AND severity >= ERROR"
    }
    unforeseen = {
      title  = "An exception was not foreseen", severity = "ERROR", repeat_s = 3600
      filter = "((${local._functions}) OR (resource.type = \"cloud_run_job\" AND resource.labels.job_name = \"${var.job}\")) AND jsonPayload.message = \"unforeseen\""
    }
  }

  _named = var.prefix == "" ? "" : "${trimsuffix(var.prefix, "-")}: "

  # The entry of docs/operations.md with the names of this deployment.
  _texts = { for file in fileset("${path.module}/texts", "*.md") : trimsuffix(file, ".md") => templatefile("${path.module}/texts/${file}", {
    lake       = var.buckets.lake
    prefix     = var.prefix
    project    = var.project.id
    quarantine = var.buckets.quarantine
    region     = var.project.region
  }) }

  _console = "https://console.cloud.google.com"
  _links = merge(
    { "Runs of the functions and the job" = "${local._console}/run?project=${var.project.id}" },
    { "Warnings in the log" = "${local._console}/logs/query;query=${urlencode("resource.type=(\"cloud_run_revision\" OR \"cloud_run_job\") severity>=WARNING")}?project=${var.project.id}" },
    var.runbook_url == null ? {} : { "Runbook" = var.runbook_url },
  )

  channels = concat([for channel in google_monitoring_notification_channel.email : channel.id], tolist(var.channels))
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = var.emails
  project      = var.project.id
  display_name = "${local._named}${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each              = local._thresholds
  project               = var.project.id
  display_name          = "${local._named}${each.value.title}"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = each.value.severity

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
        group_by_fields      = each.value.by
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    content = local._texts[each.value.text]
    subject = "${local._named}${each.value.title}"
    dynamic "links" {
      for_each = local._links
      content {
        display_name = links.key
        url          = links.value
      }
    }
  }

  depends_on = [time_sleep.metrics_known]
}

resource "google_monitoring_alert_policy" "log_line" {
  for_each              = local._log_lines
  project               = var.project.id
  display_name          = "${local._named}${each.value.title}"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = each.value.severity

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter = each.value.filter
    }
  }

  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "${each.value.repeat_s}s"
    }
  }

  documentation {
    content = local._texts[each.key]
    subject = "${local._named}${each.value.title}"
    dynamic "links" {
      for_each = local._links
      content {
        display_name = links.key
        url          = links.value
      }
    }
  }
}

# It reports every half hour, so two hours without a report are four sweeps.
resource "google_monitoring_alert_policy" "no_heartbeat" {
  project               = var.project.id
  display_name          = "${local._named}The sweep does not report"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  conditions {
    display_name = "The sweep does not report"
    condition_absent {
      filter   = local._logged.heartbeat
      duration = "7200s"
      aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    content = local._texts["no-heartbeat"]
    subject = "${local._named}The sweep does not report"
    dynamic "links" {
      for_each = local._links
      content {
        display_name = links.key
        url          = links.value
      }
    }
  }

  depends_on = [time_sleep.metrics_known]
}
