module "lake" {
  source = "./modules/lake"

  delete_data      = var.delete_data
  events_topic     = module.topic["object-events"].id
  kms_key          = var.kms_key
  project_id       = var.project_id
  region           = var.region
  soft_delete_days = var.soft_delete_days
  storage_agent    = data.google_storage_project_service_account.this.member

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.storage]
}
