# The identities that upload the usage of coding agents. They add files, and can neither read nor change one. The name
# of a file holds a hash of its content, so an upload does not check whether the file exists.
module "collectors" {
  for_each = var.collectors
  source   = "./modules/storage_rights"

  member = each.value
  rights = {
    create-usage = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "drop/usage_events/" }
  }
}
