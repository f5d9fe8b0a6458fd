output "ready" {
  description = "The project with its key, its region and the accounts of Google's services; known when they may be used."
  value = {
    agents        = { for service, agent in google_project_service_identity.this : service => agent.member }
    id            = var.id
    kms_key       = var.kms_key
    region        = var.region
    storage_agent = data.google_storage_project_service_account.this.member
  }
  depends_on = [time_sleep.ready]
}
