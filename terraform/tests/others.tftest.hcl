# The modules of one or two resources.
mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = { email = "a@acme-dev.iam.gserviceaccount.com", member = "serviceAccount:a@acme-dev.iam.gserviceaccount.com" }
  }
}

run "a_schedule_is_tried_again" {
  command = plan
  module {
    source = "./modules/schedule"
  }
  variables {
    audience     = "https://start-run.example"
    caller_email = "call-start-run@acme-dev.iam.gserviceaccount.com"
    description  = "Starts a run every 6 h."
    name         = "start-run"
    project      = { id = "acme-dev", region = "europe-west4" }
    schedule     = "0 */6 * * *"
    url          = "https://start-run.example"
  }

  assert {
    condition     = google_cloud_scheduler_job.this.schedule == "0 */6 * * *" && google_cloud_scheduler_job.this.time_zone == "Etc/UTC"
    error_message = "the schedule is in UTC"
  }
  assert {
    condition     = google_cloud_scheduler_job.this.retry_config[0].retry_count == 5
    error_message = "by default a failed start is not tried again"
  }
}

run "a_job_runs_as_itself_and_is_given_time" {
  module {
    source = "./modules/job"
  }
  variables {
    environment = { MILLRACE_LAKE = "gs://lake" }
    image       = "europe-west4-docker.pkg.dev/acme-dev/images/dbt-runner@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    name        = "dbt-runner"
    project     = { id = "acme-dev", region = "europe-west4" }
    secrets     = { KEY = { id = "snowflake-builder", version = "3" } }
    storage     = {}
  }

  assert {
    condition     = google_cloud_run_v2_job.this.template[0].template[0].service_account == google_service_account.this.email
    error_message = "the job runs as its own account"
  }
  assert {
    condition     = google_cloud_run_v2_job.this.template[0].template[0].timeout == "3600s"
    error_message = "by default a job has ten minutes"
  }
  assert {
    condition     = [for each in google_cloud_run_v2_job.this.template[0].template[0].containers[0].env : each.value_source[0].secret_key_ref[0].version if each.name == "KEY"] == ["3"]
    error_message = "a secret is pinned to a version"
  }
  assert {
    condition     = google_secret_manager_secret_iam_member.reads["KEY"].member == google_service_account.this.member
    error_message = "the job's own account reads the secret"
  }
}

run "the_value_of_a_secret_is_not_kept" {
  module {
    source = "./modules/secret"
  }
  variables {
    name          = "source-key"
    project       = { id = "acme-dev", region = "europe-west4" }
    value         = "a-key"
    value_version = 1
  }

  assert {
    condition     = google_secret_manager_secret_version.this.secret_data == null && google_secret_manager_secret_version.this.secret_data_wo == null
    error_message = "the value is in no plan and no state"
  }
  assert {
    condition     = google_secret_manager_secret.this.deletion_protection
    error_message = "the secret is protected"
  }
}
