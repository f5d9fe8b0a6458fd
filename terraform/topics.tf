# The names are those in src/millrace/bus, with the prefix that the bus's address has.
module "topic" {
  for_each = toset(["extract-requests", "extract-events", "object-events"])
  source   = "./modules/topic"

  name    = "${local.prefix}${each.value}"
  project = local.project
}
