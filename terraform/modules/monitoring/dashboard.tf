# The dashboard of the same metrics.
locals {
  _tiles = [for title, chart in {
    "Extractions finished"                = { filter = local._logged.extracted, aligner = "ALIGN_DELTA", by = ["metric.labels.table"] }
    "Runs completed"                      = { filter = local._logged.run-completed, aligner = "ALIGN_DELTA", by = [] }
    "Oldest message that waits (seconds)" = { filter = local._thresholds.oldest-unacked.filter, aligner = "ALIGN_MAX", by = ["resource.labels.subscription_id"] }
    "Dead letters"                        = { filter = local._thresholds.dead-letters.filter, aligner = "ALIGN_MAX", by = ["resource.labels.subscription_id"] }
    "Builds"                              = { filter = "${local._one_of.job} AND metric.type = \"run.googleapis.com/job/completed_execution_count\"", aligner = "ALIGN_DELTA", by = ["metric.labels.result"] }
    "Answers of the functions"            = { filter = "${local._one_of.functions} AND ${local._requests}", aligner = "ALIGN_DELTA", by = ["resource.labels.service_name", "metric.labels.response_code_class"] }
    } : {
    title = title
    xyChart = {
      dataSets = [{
        plotType = "LINE"
        timeSeriesQuery = {
          timeSeriesFilter = {
            filter = chart.filter
            aggregation = {
              alignmentPeriod    = "3600s"
              perSeriesAligner   = chart.aligner
              crossSeriesReducer = "REDUCE_SUM"
              groupByFields      = chart.by
            }
          }
        }
      }]
    }
  }]
}

resource "google_monitoring_dashboard" "this" {
  project = var.project.id
  dashboard_json = jsonencode({
    displayName = "${local._named}Millrace"
    gridLayout  = { columns = "2", widgets = local._tiles }
  })
}
