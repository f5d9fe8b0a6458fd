module "lake" {
  source = "./modules/lake"

  delete_data      = var.delete_data
  events_topic     = module.topic["object-events"].id
  prefix           = local.prefix
  project          = local.project
  soft_delete_days = var.soft_delete_days
}
