module "source_key" {
  source = "./modules/secret"

  deletion_protection = !var.delete_data
  name                = "${local.prefix}source-key"
  project             = local.project
  value               = var.source_key
  value_version       = var.source_key_version
}
