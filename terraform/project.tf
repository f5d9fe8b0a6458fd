locals {
  prefix  = var.prefix == "" ? "" : "${var.prefix}-"
  project = module.project.ready # all that is deployed refers to it, and so waits for it
  regions = jsondecode(file("${path.module}/regions.json"))
}

module "project" {
  source = "./modules/project"

  agents = concat(
    var.images == null ? ["artifactregistry.googleapis.com", "cloudbuild.googleapis.com"] : [],
    var.api_iap ? ["iap.googleapis.com"] : [],
  )
  id               = var.project_id
  kms_key          = var.kms_key
  log_object_reads = var.log_object_reads
  region           = var.region
  services         = var.budget_usd_per_month == null ? [] : ["billingbudgets.googleapis.com"]
}

# Loads and builds read the lake from Snowflake's region: within one region that traffic costs nothing.
check "snowflake_is_near" {
  assert {
    condition     = contains(local.regions.snowflake, var.region)
    error_message = "region: Snowflake has no region in ${var.region}: reading the lake is paid as traffic. It has ${join(", ", local.regions.snowflake)}."
  }
}

# What a deployment of version 0.3 keeps when it is destroyed: see docs/deploy.md.
moved {
  from = google_project_service.this
  to   = module.project.google_project_service.this
}

moved {
  from = google_project_service_identity.this
  to   = module.project.google_project_service_identity.this
}

moved {
  from = google_kms_crypto_key_iam_member.agent
  to   = module.project.google_kms_crypto_key_iam_member.agent
}

moved {
  from = google_kms_crypto_key_iam_member.storage
  to   = module.project.google_kms_crypto_key_iam_member.storage
}
