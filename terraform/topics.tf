# The names are those in src/millrace/bus.
module "topic" {
  for_each = toset(["extract-requests", "extract-events", "object-events"])
  source   = "./modules/topic"

  kms_key      = var.kms_key
  name         = each.value
  pubsub_agent = google_project_service_identity.this["pubsub.googleapis.com"].member
  region       = var.region

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agent]
}
