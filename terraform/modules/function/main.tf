# A function with its account, its rights and its triggers. Only its caller, or its invokers, may call it.
locals {
  # The platform accepts this address as an audience too, and it is known before the function is.
  audience = "https://${var.platform.region}-${var.platform.project_id}.cloudfunctions.net/${var.name}"

  # The tokens that the function accepts. Those of invokers have many audiences, and only the platform checks them.
  _caller = one(google_service_account.caller)
  _door = var.invokers != null ? {} : {
    MILLRACE_PUSH_ACCOUNT  = local._caller.email
    MILLRACE_PUSH_AUDIENCE = local.audience
  }

  # functions-framework has four threads per processor, however many requests the platform sends at a time.
  _threads = var.concurrency == 1 ? {} : { THREADS = var.concurrency }
}

resource "google_service_account" "this" {
  account_id   = "run-${var.name}"
  display_name = var.description
}

resource "google_service_account" "caller" {
  count        = var.invokers == null ? 1 : 0
  account_id   = "call-${var.name}"
  display_name = "Calls ${var.name}, and can do nothing else"
}

resource "google_cloudfunctions2_function" "this" {
  name         = var.name
  location     = var.platform.region
  description  = var.description
  kms_key_name = var.platform.kms_key

  build_config {
    runtime           = "python312"
    entry_point       = var.entry_point
    service_account   = var.platform.build_account
    docker_repository = var.platform.repository
    source {
      storage_source {
        bucket = var.package.bucket
        object = var.package.name
      }
    }
  }

  service_config {
    available_cpu                    = "1"
    available_memory                 = var.memory
    ingress_settings                 = var.ingress
    max_instance_count               = var.max_instances
    max_instance_request_concurrency = var.concurrency
    min_instance_count               = 0
    service_account_email            = google_service_account.this.email
    timeout_seconds                  = 540 # within the 600 s after which Pub/Sub delivers again
    vpc_connector                    = var.platform.vpc_connector
    vpc_connector_egress_settings    = var.platform.vpc_connector == null ? null : "ALL_TRAFFIC"

    environment_variables = merge(var.environment, local._door, local._threads, {
      LOG_EXECUTION_ID = "true" # set by the platform; repeated here so that no plan removes it
      MILLRACE_PROJECT = var.platform.project_id
    })

    dynamic "secret_environment_variables" {
      for_each = var.secrets
      content {
        key        = secret_environment_variables.key
        project_id = var.platform.project_id
        secret     = secret_environment_variables.value.id
        version    = secret_environment_variables.value.version
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reads]
}

# ---- its rights

resource "google_secret_manager_secret_iam_member" "reads" {
  for_each  = var.secrets
  project   = var.platform.project_id
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

resource "google_pubsub_topic_iam_member" "publishes" {
  for_each = var.publishes_to
  topic    = each.value
  role     = "roles/pubsub.publisher"
  member   = google_service_account.this.member
}

module "storage" {
  source = "../storage_rights"

  member = google_service_account.this.member
  rights = var.storage
}

# ---- its callers and triggers

resource "google_cloud_run_v2_service_iam_member" "caller" {
  count    = var.invokers == null ? 1 : 0
  name     = google_cloudfunctions2_function.this.name # the service of a function has its name
  location = google_cloudfunctions2_function.this.location
  role     = "roles/run.invoker"
  member   = local._caller.member
}

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = coalesce(var.invokers, [])
  name     = google_cloudfunctions2_function.this.name
  location = google_cloudfunctions2_function.this.location
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_pubsub_subscription" "this" {
  for_each                   = var.subscriptions
  name                       = "${var.name}-${each.key}"
  topic                      = each.value.topic.id
  filter                     = each.value.filter
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = google_cloudfunctions2_function.this.service_config[0].uri
    oidc_token {
      service_account_email = local._caller.email
      audience              = local.audience
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = each.value.topic.dead_letter_topic
    max_delivery_attempts = 20 # about two and a half hours
  }

  expiration_policy {
    ttl = "" # never
  }

  depends_on = [google_cloud_run_v2_service_iam_member.caller]
}

# Pub/Sub itself signs as the caller, and removes a message that becomes a dead letter from the subscription.
resource "google_service_account_iam_member" "pubsub_signs" {
  count              = length(var.subscriptions) > 0 ? 1 : 0
  service_account_id = local._caller.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = var.platform.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each     = google_pubsub_subscription.this
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = var.platform.pubsub_agent
}
