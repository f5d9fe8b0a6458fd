# The two images, of the functions and of the job, from one Dockerfile: built here, or published by somebody else.
locals {
  images = var.images == null ? module.images[0].references : var.images

  # What the Dockerfile copies: its .dockerignore lists the same.
  root = "${path.module}/.."
  image_files = toset(concat(
    tolist(fileset(local.root, "src/millrace/**/*.{css,html,js,json,py,svg,typed}")),
    tolist(fileset(local.root, "functions/**/*.py")),
    tolist(fileset(local.root, "requirements/{dbt-runner,functions,sbom}.txt")),
    [
      for file in fileset(local.root, "jobs/dbt-runner/**") : file
      if !can(regex("/(target|logs|__pycache__)/|/\\.user\\.yml$", file))
    ],
  ))
}

module "images" {
  count  = var.images == null ? 1 : 0
  source = "./modules/image"

  base_image = var.base_image
  database   = local.snowflake_name
  files      = local.image_files
  images     = { functions = "functions", job = "dbt-runner" }
  prefix     = local.prefix
  project    = local.project
  root       = local.root
}
