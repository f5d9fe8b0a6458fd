# Who brings in the usage of coding agents from a machine: adds files, and neither sees nor changes one. The name of a
# file holds a hash of its content, so that nobody has to look whether it is there.
module "collectors" {
  for_each = var.collectors
  source   = "./modules/storage_rights"

  member = each.value
  rights = {
    create-usage = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "drop/usage_events/" }
  }
}
