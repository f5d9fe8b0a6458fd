# A topic, and the topic of its dead letters with a subscription, without which they would be lost.
resource "google_pubsub_topic" "this" {
  # checkov:skip=CKV_GCP_83:encrypted with var.kms_key if the company requires its own key
  name                       = var.name
  project                    = var.project.id
  kms_key_name               = var.project.kms_key
  message_retention_duration = "604800s" # a week of messages can be delivered again

  message_storage_policy {
    allowed_persistence_regions = [var.project.region]
  }
}

resource "google_pubsub_topic" "dead" {
  # checkov:skip=CKV_GCP_83:encrypted with var.kms_key if the company requires its own key
  name                       = "${var.name}-dead"
  project                    = var.project.id
  kms_key_name               = var.project.kms_key
  message_retention_duration = "1209600s"

  message_storage_policy {
    allowed_persistence_regions = [var.project.region]
  }
}

resource "google_pubsub_subscription" "dead" {
  name                       = "${var.name}-dead"
  project                    = var.project.id
  topic                      = google_pubsub_topic.dead.id
  ack_deadline_seconds       = 60
  message_retention_duration = "1209600s" # two weeks to review them

  expiration_policy {
    ttl = "" # never, even if no dead letter arrives for a long time
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
}

# Pub/Sub itself moves a message to the dead letters.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.dead.id
  role   = "roles/pubsub.publisher"
  member = var.project.agents["pubsub.googleapis.com"]
}
