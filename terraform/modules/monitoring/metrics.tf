# Counts of messages that the functions log; the texts are those in the code.
locals {
  _functions = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = (${join(" OR ", [for name in sort(concat(var.functions, [var.api])) : "\"${name}\""])})"
  _logged = { for key, metric in google_logging_metric.this :
    key => "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${metric.name}\""
  }
}

resource "google_logging_metric" "this" {
  for_each = {
    extracted     = { filter = "jsonPayload.message = \"extracted\"", label = "table" }
    heartbeat     = { filter = "jsonPayload.message = \"heartbeat\"", label = null }
    run-completed = { filter = "jsonPayload.message = \"run ended\" AND jsonPayload.status = \"complete\"", label = null }
  }
  name    = "${var.prefix}millrace-${each.key}"
  project = var.project.id
  filter  = "${local._functions} AND ${each.value.filter}"

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
