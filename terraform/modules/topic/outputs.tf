output "dead_letter_subscription" {
  description = "Name of the subscription that keeps the dead letters."
  value       = google_pubsub_subscription.dead.name
}

output "dead_letter_topic" {
  description = "Full name of the topic of dead letters; known when Pub/Sub may publish there."
  value       = google_pubsub_topic_iam_member.dead_letters.topic
}

output "id" {
  description = "Full name of the topic."
  value       = google_pubsub_topic.this.id
}
