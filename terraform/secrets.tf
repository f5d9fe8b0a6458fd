module "source_key" {
  count  = local.has_source_url ? 1 : 0
  source = "./modules/secret"

  deletion_protection = !var.delete_data
  name                = "${local.prefix}source-key"
  project             = local.project
  value               = var.source_key
  value_version       = var.source_key_version
}

# A token, or the private key of a GitHub App.
module "source_secret" {
  for_each = local.sources
  source   = "./modules/secret"

  deletion_protection = !var.delete_data
  name                = "${local.prefix}source-key-${each.key}"
  project             = local.project
  value               = lookup(var.source_keys, each.key, null)
  value_version       = each.value.key_version
}
