mock_provider "google" {
  mock_resource "google_pubsub_topic" {
    defaults = { id = "projects/acme-dev/topics/t" }
  }
}

run "dead_letters_are_kept" {
  module {
    source = "./modules/topic"
  }
  variables {
    name = "events"
    project = {
      agents = { "pubsub.googleapis.com" = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com" }
      id     = "acme-dev"
      region = "europe-west4"
    }
  }

  assert {
    condition     = google_pubsub_subscription.dead.topic == google_pubsub_topic.dead.id
    error_message = "a topic of dead letters without a subscription loses them"
  }
  assert {
    condition     = google_pubsub_subscription.dead.expiration_policy[0].ttl == ""
    error_message = "the subscription stays while there is nothing to keep"
  }
  assert {
    condition     = google_pubsub_topic.this.message_retention_duration == "604800s"
    error_message = "a week of messages can be delivered again"
  }
}
