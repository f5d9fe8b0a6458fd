mock_provider "google" {}

variables {
  member = "serviceAccount:a@acme-dev.iam.gserviceaccount.com"
}

run "rights_are_bounded_by_the_names_of_objects" {
  command = plan
  module {
    source = "./modules/storage_rights"
  }
  variables {
    rights = {
      list  = { bucket = "lake", role = "projects/acme-dev/roles/lister" }
      parts = { bucket = "lake", role = "roles/storage.objectCreator", prefix = "raw/commits/" }
      plans = { bucket = "lake", role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/plan.json" }
      tasks = { bucket = "lake", role = "roles/storage.objectCreator", prefix = "runs/", middle = "Z-acme/tasks/pulls__", suffix = ".json" }
    }
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.this["list"].condition) == 0
    error_message = "listing is a right on the bucket, which has no object's name"
  }
  assert {
    condition     = google_storage_bucket_iam_member.this["parts"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/lake/objects/raw/commits/\")"
    error_message = "a prefix bounds a right"
  }
  assert {
    condition     = google_storage_bucket_iam_member.this["plans"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/lake/objects/runs/\") && resource.name.endsWith(\"/plan.json\")"
    error_message = "a prefix and a suffix bound a right"
  }
  assert {
    condition     = google_storage_bucket_iam_member.this["tasks"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/lake/objects/runs/\") && resource.name.extract(\"projects/_/buckets/lake/objects/runs/{any}Z-acme/tasks/pulls__\") != \"\" && resource.name.endsWith(\".json\")"
    error_message = "a text in between bounds a right"
  }
}

run "a_suffix_alone_is_refused" {
  command = plan
  module {
    source = "./modules/storage_rights"
  }
  variables {
    rights = { plans = { bucket = "lake", role = "roles/storage.objectCreator", suffix = "/plan.json" } }
  }
  expect_failures = [var.rights]
}
