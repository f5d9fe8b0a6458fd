module "source_key" {
  source = "./modules/secret"

  deletion_protection = !var.delete_data
  kms_key             = var.kms_key
  name                = "source-key"
  region              = var.region
  value               = var.source_key
  value_version       = var.source_key_version

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agent]
}
