# The module of one service, with mocked providers.
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
}

mock_provider "google-beta" {
  override_resource {
    target = google_cloud_run_v2_service.this
    values = { uri = "https://load.example" }
  }
}

variables {
  args         = ["--target=load"]
  description  = "Loads."
  environment  = { MILLRACE_LAKE = "gs://lake" }
  image        = "europe-west4-docker.pkg.dev/acme-dev/images/functions@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  memory       = "1Gi"
  name         = "load"
  publishes_to = { events = "projects/acme-dev/topics/events" }
  secrets      = { KEY = { id = "source-key", version = "3" } }
  storage = {
    list  = { bucket = "lake", role = "projects/acme-dev/roles/lister" }
    plans = { bucket = "lake", role = "roles/storage.objectCreator", prefix = "runs/", suffix = "/plan.json" }
  }
  project = {
    agents = {
      "iap.googleapis.com"    = "serviceAccount:service-1@gcp-sa-iap.iam.gserviceaccount.com"
      "pubsub.googleapis.com" = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
    }
    id     = "acme-dev"
    region = "europe-west4"
  }
  subscriptions = {
    objects = {
      topic  = { id = "projects/acme-dev/topics/objects", dead_letter_topic = "projects/acme-dev/topics/objects-dead" }
      filter = "attributes.table = \"commits\""
    }
  }
}

run "a_service_with_its_account_rights_and_trigger" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.caller[0].member == "serviceAccount:call-load@acme-dev.iam.gserviceaccount.com"
    error_message = "only the service's own caller may call it"
  }
  assert {
    condition     = google_cloud_run_v2_service.this.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "a service is not reached from outside"
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].service_account == "run-load@acme-dev.iam.gserviceaccount.com"
    error_message = "a service runs as its own account"
  }
  assert {
    condition     = { for each in google_cloud_run_v2_service.this.template[0].containers[0].env : each.name => each.value }["MILLRACE_PUSH_ACCOUNT"] == "call-load@acme-dev.iam.gserviceaccount.com"
    error_message = "the service knows who may push to it"
  }
  assert {
    condition     = { for each in google_cloud_run_v2_service.this.template[0].containers[0].env : each.name => each.value }["MILLRACE_PUSH_AUDIENCE"] == google_pubsub_subscription.this["objects"].push_config[0].oidc_token[0].audience
    error_message = "the service expects the audience that the pushes name"
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
    condition     = google_pubsub_subscription.this["objects"].ack_deadline_seconds > tonumber(trimsuffix(google_cloud_run_v2_service.this.template[0].timeout, "s"))
    error_message = "a message does not come again while it is worked on"
  }
  assert {
    condition     = [for each in google_cloud_run_v2_service.this.template[0].containers[0].env : each.value_source[0].secret_key_ref[0].version if each.name == "KEY"] == ["3"]
    error_message = "a secret is pinned to a version"
  }
  assert {
    condition     = google_cloud_run_v2_service.this.custom_audiences == tolist(["https://load.acme-dev.internal"]) && output.audience == "https://load.acme-dev.internal"
    error_message = "the platform accepts the audience that callers name"
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].startup_probe[0].http_get[0].path == "/health" && google_cloud_run_v2_service.this.template[0].containers[0].liveness_probe[0].http_get[0].path == "/health"
    error_message = "the platform sees whether it works"
  }
  assert {
    condition     = google_cloud_run_v2_service.this.traffic[0].type == "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST" && google_cloud_run_v2_service.this.traffic[0].percent == 100
    error_message = "a deployment takes all calls back that were sent to an older revision"
  }
  assert {
    condition     = length(google_cloud_run_v2_service.this.template[0].vpc_access) == 0 && google_cloud_run_v2_service.this.iap_enabled == false
    error_message = "without a network of the company traffic takes no way round, and no proxy is needed"
  }
}

run "a_subnetwork_takes_all_traffic" {
  module {
    source = "./modules/service"
  }
  variables {
    vpc = { subnetwork = "projects/p/regions/r/subnetworks/s" }
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].vpc_access[0].egress == "ALL_TRAFFIC" && google_cloud_run_v2_service.this.template[0].vpc_access[0].network_interfaces[0].subnetwork == "projects/p/regions/r/subnetworks/s"
    error_message = "Direct VPC egress names the subnetwork"
  }
}

run "with_a_proxy_invokers_sign_in_to_it" {
  module {
    source = "./modules/service"
  }
  variables {
    iap           = true
    invokers      = ["group:analysts@example.com"]
    subscriptions = {}
  }

  assert {
    condition     = [for each in google_iap_web_cloud_run_service_iam_member.invokers : "${each.role} ${each.member}"] == ["roles/iap.httpsResourceAccessor group:analysts@example.com"]
    error_message = "the proxy admits each invoker"
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.invokers) == 0 && google_cloud_run_v2_service_iam_member.proxy[0].member == "serviceAccount:service-1@gcp-sa-iap.iam.gserviceaccount.com"
    error_message = "only the proxy itself calls"
  }
  assert {
    condition     = google_cloud_run_v2_service.this.iap_enabled
    error_message = "the service has a proxy"
  }
}

run "a_proxy_before_subscriptions_is_refused" {
  command = plan
  module {
    source = "./modules/service"
  }
  variables {
    iap = true
  }
  expect_failures = [var.iap]
}

run "a_request_longer_than_pubsub_waits_is_refused" {
  command = plan
  module {
    source = "./modules/service"
  }
  variables {
    timeout_s = 600
  }
  expect_failures = [var.timeout_s]
}

run "without_subscriptions_nobody_signs_for_pubsub" {
  module {
    source = "./modules/service"
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
    source = "./modules/service"
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
    condition     = !contains([for each in google_cloud_run_v2_service.this.template[0].containers[0].env : each.name], "MILLRACE_PUSH_ACCOUNT")
    error_message = "its door knows of no caller"
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].max_instance_request_concurrency == 40
    error_message = "the platform sends it as many requests at a time"
  }
  assert {
    condition     = google_cloud_run_v2_service.this.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "it is not reached from outside unless that was asked for"
  }
}

run "without_an_invoker_nobody_calls" {
  command = plan
  module {
    source = "./modules/service"
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
    source = "./modules/service"
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
    source = "./modules/service"
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
    source = "./modules/service"
  }
  variables {
    invokers = []
  }
  expect_failures = [var.invokers]
}

run "an_ingress_that_the_platform_does_not_know_is_refused" {
  command = plan
  module {
    source = "./modules/service"
  }
  variables {
    ingress = "internal"
  }
  expect_failures = [var.ingress]
}

run "a_name_too_long_for_an_account_is_refused" {
  command = plan
  module {
    source = "./modules/service"
  }
  variables {
    name = "extract-things-of-a-very-long-name"
  }
  expect_failures = [var.name]
}
