# Rights that no predefined role grants as narrowly. Their names can be shown in a plan.
locals {
  _role_prefix  = replace(local.prefix, "-", "_")
  bucket_looker = "projects/${var.project_id}/roles/${google_project_iam_custom_role.bucket_looker.role_id}"
  job_starter   = "projects/${var.project_id}/roles/${google_project_iam_custom_role.job_starter.role_id}"
  object_lister = "projects/${var.project_id}/roles/${google_project_iam_custom_role.object_lister.role_id}"
}

# The rights on a bucket that Snowflake needs before it reads an object of it.
resource "google_project_iam_custom_role" "bucket_looker" {
  project     = local.project.id
  role_id     = "${local._role_prefix}millraceBucketLooker"
  title       = "Millrace bucket looker"
  description = "See a bucket and which objects there are, not what is in them."
  permissions = ["storage.buckets.get", "storage.objects.list"]
}

# Without it Cloud Storage answers 403 instead of 404 for a missing object.
resource "google_project_iam_custom_role" "object_lister" {
  project     = local.project.id
  role_id     = "${local._role_prefix}millraceObjectLister"
  title       = "Millrace object lister"
  description = "See which objects there are, not what is in them."
  permissions = ["storage.objects.list"]
}

resource "google_project_iam_custom_role" "job_starter" {
  project     = local.project.id
  role_id     = "${local._role_prefix}millraceJobStarter"
  title       = "Millrace job starter"
  description = "Start a job, and see whether it runs."
  permissions = [
    "run.executions.get",
    "run.executions.list",
    "run.jobs.get",
    "run.jobs.run",
    "run.jobs.runWithOverrides",
  ]
}
