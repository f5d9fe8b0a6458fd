# With staging = snowpipe: what fills META.PIPED_<table>, by the statements of src/millrace/warehouse/snowflake/pipes.py.
locals {
  pipes = var.staging == "snowpipe" ? jsondecode(file("${path.module}/../../pipes.json")) : {}
}

# Snowflake takes the announcements of new objects off a subscription of its own.
resource "google_pubsub_subscription" "pipes" {
  # checkov:skip=CKV_GCP_83:encrypted with var.kms_key where the company asks for a key of its own
  count                      = length(local.pipes) > 0 ? 1 : 0
  name                       = "snowpipe-objects"
  topic                      = var.object_events
  filter                     = "hasPrefix(attributes.objectId, \"raw/\")"
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  expiration_policy {
    ttl = "" # never
  }
}

resource "snowflake_notification_integration" "objects" {
  count                        = length(google_pubsub_subscription.pipes)
  name                         = "MILLRACE_OBJECTS"
  type                         = "QUEUE"
  notification_provider        = "GCP_PUBSUB"
  gcp_pubsub_subscription_name = google_pubsub_subscription.pipes[0].id
}

resource "google_pubsub_subscription_iam_member" "pipes" {
  count        = length(google_pubsub_subscription.pipes)
  subscription = google_pubsub_subscription.pipes[0].name
  role         = "roles/pubsub.subscriber"
  member       = "serviceAccount:${snowflake_notification_integration.objects[0].gcp_pubsub_service_account}"
}

# It looks at the subscription's figures too, to say how far behind a pipe is.
resource "google_project_iam_member" "pipes" {
  count   = length(google_pubsub_subscription.pipes)
  project = google_pubsub_subscription.pipes[0].project
  role    = "roles/monitoring.viewer"
  member  = "serviceAccount:${snowflake_notification_integration.objects[0].gcp_pubsub_service_account}"
}

resource "snowflake_execute" "piped" {
  for_each = local.pipes
  execute  = replace(each.value.table, "/\\bMETA\\./", "${local.meta_schema}.")
  revert   = "SELECT 1"
}

resource "snowflake_pipe" "this" {
  for_each       = local.pipes
  database       = snowflake_database.this.name
  schema         = snowflake_schema.this["META"].name
  name           = "PIPE_${each.key}"
  auto_ingest    = true
  integration    = snowflake_notification_integration.objects[0].name
  copy_statement = replace(each.value.copy, "/\\bMETA\\./", "${local.meta_schema}.")

  depends_on = [google_pubsub_subscription_iam_member.pipes, snowflake_execute.parquet, snowflake_execute.piped, snowflake_stage.lake]
}

resource "snowflake_grant_privileges_to_account_role" "piped" {
  for_each          = snowflake_execute.piped
  account_role_name = local._roles["LOADER"]
  privileges        = ["DELETE", "SELECT"]
  on_schema_object {
    object_type = "TABLE"
    object_name = "${local._named["META"]}.\"PIPED_${each.key}\""
  }
}
