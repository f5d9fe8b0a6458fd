module "dbt_runner" {
  source = "./modules/job"

  environment = {
    MILLRACE_LAKE      = "gs://${local.lake}"
    MILLRACE_MEMORY    = "1GB"
    MILLRACE_PROJECT   = var.project_id
    MILLRACE_WAREHOUSE = local.warehouse["BUILDER"].address
  }
  image   = local.images.job
  name    = "${local.prefix}dbt-runner"
  project = local.project
  secrets = local.warehouse["BUILDER"].secrets
  storage = {
    list-lake      = { bucket = local.lake, role = local.object_lister }
    replace-lease  = { bucket = local.lake, role = "roles/storage.objectUser", prefix = "build/lease.json" }
    keep-artifacts = { bucket = local.lake, role = "roles/storage.objectCreator", prefix = "build/artifacts/" }
    read-requested = { bucket = local.lake, role = "roles/storage.objectViewer", prefix = "build/requested.json" }
  }
  vpc = local.vpc
}
