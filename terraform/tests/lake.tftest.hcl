mock_provider "google" {}

variables {
  events_topic = "projects/acme-dev/topics/object-events"
  project = {
    id            = "acme-dev"
    region        = "europe-west4"
    storage_agent = "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com"
  }
}

run "the_buckets_keep_what_they_have" {
  command = plan
  module {
    source = "./modules/lake"
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.force_destroy == false])
    error_message = "a destroy does not take the objects"
  }
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.soft_delete_policy[0].retention_duration_seconds >= 604800])
    error_message = "a deleted object can be brought back for a week"
  }
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.uniform_bucket_level_access && bucket.public_access_prevention == "enforced"])
    error_message = "no object has rights of its own, none is public"
  }
  assert {
    condition = alltrue(flatten([for bucket in google_storage_bucket.this : [
      for rule in bucket.lifecycle_rule : tolist(rule.action)[0].type == "Delete" ? join(",", tolist(rule.condition)[0].matches_prefix) == "build/artifacts/" : true
    ]]))
    error_message = "no data is deleted by age, only what dbt says of a build"
  }
  assert {
    condition     = toset([for each in google_storage_notification.this : each.object_name_prefix]) == toset(["raw/", "drop/", "runs/"])
    error_message = "a lease or a cursor does not wake the loader"
  }
}

run "a_soft_delete_of_less_than_a_week_is_refused" {
  command = plan
  module {
    source = "./modules/lake"
  }
  variables {
    soft_delete_days = 6
  }
  expect_failures = [var.soft_delete_days]
}

run "a_lake_is_deployed" {
  module {
    source = "./modules/lake"
  }
}

run "a_region_that_would_replace_the_lake_is_refused" {
  command = plan
  module {
    source = "./modules/lake"
  }
  variables {
    project = {
      id            = "acme-dev"
      region        = "us-central1"
      storage_agent = "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com"
    }
  }
  expect_failures = [google_storage_bucket.this]
}
