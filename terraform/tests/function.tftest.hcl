# The module of one function, with a mocked provider.
mock_provider "google" {
  override_resource {
    target = google_service_account.this
    values = {
      email  = "run-load@acme-dev.iam.gserviceaccount.com"
      member = "serviceAccount:run-load@acme-dev.iam.gserviceaccount.com"
      name   = "projects/acme-dev/serviceAccounts/run-load@acme-dev.iam.gserviceaccount.com"
    }
  }
  override_resource {
    target = google_service_account.caller
    values = {
      email  = "call-load@acme-dev.iam.gserviceaccount.com"
      member = "serviceAccount:call-load@acme-dev.iam.gserviceaccount.com"
      name   = "projects/acme-dev/serviceAccounts/call-load@acme-dev.iam.gserviceaccount.com"
    }
  }
  override_resource {
    target = google_cloudfunctions2_function.this
    values = { service_config = { uri = "https://load.example" } }
  }
}

variables {
  description  = "Loads."
  entry_point  = "load"
  environment  = { MILLRACE_LAKE = "gs://lake" }
  memory       = "1Gi"
  name         = "load"
  package      = { bucket = "packages", name = "load.zip" }
  publishes_to = { events = "projects/acme-dev/topics/events" }
  secrets      = { KEY = { id = "source-key", version = "3" } }
  storage = {
    list  = { bucket = "lake", role = "projects/acme-dev/roles/lister" }
    plans = { bucket = "lake", role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/plan.json" }
  }
  platform = {
    build_account = "projects/acme-dev/serviceAccounts/build@acme-dev.iam.gserviceaccount.com"
    project_id    = "acme-dev"
    pubsub_agent  = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
    region        = "europe-west1"
    repository    = "projects/acme-dev/locations/europe-west1/repositories/functions"
  }
  subscriptions = {
    objects = {
      topic  = { id = "projects/acme-dev/topics/objects", dead_letter_topic = "projects/acme-dev/topics/objects-dead" }
      filter = "attributes.table = \"commits\""
    }
  }
}

run "a_function_with_its_account_rights_and_trigger" {
  module {
    source = "./modules/function"
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.caller[0].member == "serviceAccount:call-load@acme-dev.iam.gserviceaccount.com"
    error_message = "only the function's own caller may call it"
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "a function is not reached from outside"
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].service_account_email == "run-load@acme-dev.iam.gserviceaccount.com"
    error_message = "a function runs as its own account"
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].environment_variables["MILLRACE_PUSH_ACCOUNT"] == "call-load@acme-dev.iam.gserviceaccount.com"
    error_message = "the function knows who may push to it"
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].environment_variables["MILLRACE_PUSH_AUDIENCE"] == google_pubsub_subscription.this["objects"].push_config[0].oidc_token[0].audience
    error_message = "the function expects the audience that the pushes name"
  }
  assert {
    condition     = google_pubsub_subscription.this["objects"].push_config[0].oidc_token[0].service_account_email == "call-load@acme-dev.iam.gserviceaccount.com"
    error_message = "pushes are signed as the caller"
  }
  assert {
    condition     = length(google_pubsub_subscription.this["objects"].retry_policy) == 1
    error_message = "a subscription without a retry policy asks again at once"
  }
  assert {
    condition     = google_pubsub_subscription.this["objects"].dead_letter_policy[0].dead_letter_topic == "projects/acme-dev/topics/objects-dead"
    error_message = "what fails too often goes to the dead letters"
  }
  assert {
    condition     = google_pubsub_subscription.this["objects"].ack_deadline_seconds > google_cloudfunctions2_function.this.service_config[0].timeout_seconds
    error_message = "a message does not come again while it is worked on"
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].secret_environment_variables[*].version == tolist(["3"])
    error_message = "a secret is pinned to a version"
  }
}

run "without_subscriptions_nobody_signs_for_pubsub" {
  module {
    source = "./modules/function"
  }
  variables {
    subscriptions = {}
  }

  assert {
    condition     = length(google_service_account_iam_member.pubsub_signs) == 0
    error_message = "Pub/Sub may not sign where it has nothing to deliver"
  }
}

run "invokers_call_instead_of_a_caller" {
  module {
    source = "./modules/function"
  }
  variables {
    concurrency   = 40
    invokers      = ["group:analysts@example.com", "user:ann@example.com"]
    subscriptions = {}
  }

  assert {
    condition     = toset([for each in google_cloud_run_v2_service_iam_member.invokers : "${each.role} ${each.member}"]) == toset(["roles/run.invoker group:analysts@example.com", "roles/run.invoker user:ann@example.com"])
    error_message = "each invoker may call it"
  }
  assert {
    condition     = length(google_service_account.caller) == 0 && length(google_cloud_run_v2_service_iam_member.caller) == 0 && output.caller_email == null
    error_message = "no other caller may, and no account is made for it"
  }
  assert {
    condition     = !contains(keys(google_cloudfunctions2_function.this.service_config[0].environment_variables), "MILLRACE_PUSH_ACCOUNT")
    error_message = "its door knows of no caller"
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].max_instance_request_concurrency == 40 && google_cloudfunctions2_function.this.service_config[0].environment_variables["THREADS"] == "40"
    error_message = "an instance has a thread for each request that the platform sends it"
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "it is not reached from outside unless that was asked for"
  }
}

run "without_an_invoker_nobody_calls" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    invokers      = []
    subscriptions = {}
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.invokers) == 0 && length(google_cloud_run_v2_service_iam_member.caller) == 0
    error_message = "an empty list of invokers permits no caller"
  }
}

run "the_public_is_no_invoker" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    invokers      = ["allUsers"]
    subscriptions = {}
  }
  expect_failures = [var.invokers]
}

run "all_who_have_an_account_are_the_public" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    invokers      = ["allAuthenticatedUsers"]
    subscriptions = {}
  }
  expect_failures = [var.invokers]
}

run "subscriptions_need_the_caller" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    invokers = []
  }
  expect_failures = [var.invokers]
}

run "an_ingress_that_the_platform_does_not_know_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    ingress = "internal"
  }
  expect_failures = [var.ingress]
}

run "a_name_too_long_for_an_account_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    name = "extract-things-of-a-very-long-name"
  }
  expect_failures = [var.name]
}
