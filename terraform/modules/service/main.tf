# A service on Cloud Run with its account, its rights and its triggers. Only its caller, or its invokers, may call it.
locals {
  # An address that no other service has, and that is known before the service is: its tokens name it.
  audience = "https://${var.name}.${var.project.id}.internal"

  # The tokens that the service accepts. Those of invokers have many audiences, and only the platform checks them.
  _caller = one(google_service_account.caller)
  _door = var.invokers != null ? {} : {
    MILLRACE_PUSH_ACCOUNT  = local._caller.email
    MILLRACE_PUSH_AUDIENCE = local.audience
  }
  _pubsub_agent = var.project.agents["pubsub.googleapis.com"]
}

resource "google_service_account" "this" {
  account_id   = "run-${var.name}"
  project      = var.project.id
  display_name = var.description
}

resource "google_service_account" "caller" {
  count        = var.invokers == null ? 1 : 0
  account_id   = "call-${var.name}"
  project      = var.project.id
  display_name = "Calls ${var.name}, and can do nothing else"
}

# google-beta, because only there a service has Identity-Aware Proxy.
resource "google_cloud_run_v2_service" "this" {
  provider             = google-beta
  name                 = var.name
  project              = var.project.id
  location             = var.project.region
  description          = var.description
  custom_audiences     = [local.audience]
  deletion_protection  = false # everything in it is in this repository
  iap_enabled          = var.iap
  ingress              = var.ingress
  invoker_iam_disabled = false
  launch_stage         = var.iap ? "BETA" : "GA"

  template {
    encryption_key                   = var.project.kms_key
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    max_instance_request_concurrency = var.concurrency
    service_account                  = google_service_account.this.email
    timeout                          = "${var.timeout_s}s"

    scaling {
      max_instance_count = var.max_instances
      min_instance_count = 0
    }

    containers {
      image   = var.image
      command = var.command
      args    = var.args

      resources {
        cpu_idle          = true
        limits            = { cpu = "1", memory = var.memory }
        startup_cpu_boost = true
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 1
        failure_threshold = 60
        http_get {
          path = "/health"
        }
      }

      # An instance that has not answered for five minutes is replaced; a busy one answers late, but answers.
      liveness_probe {
        period_seconds    = 60
        timeout_seconds   = 30
        failure_threshold = 5
        http_get {
          path = "/health"
        }
      }

      dynamic "env" {
        for_each = merge(var.environment, local._door, { MILLRACE_PROJECT = var.project.id })
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = var.secrets
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.id
              version = env.value.version
            }
          }
        }
      }
    }

    dynamic "vpc_access" {
      for_each = var.vpc[*]
      content {
        connector = vpc_access.value.connector
        egress    = "ALL_TRAFFIC"
        dynamic "network_interfaces" {
          for_each = vpc_access.value.subnetwork[*]
          content {
            subnetwork = network_interfaces.value
          }
        }
      }
    }
  }

  # Without it, calls that were sent to an older revision by hand would stay there after the next deployment.
  traffic {
    percent = 100
    type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
  }

  depends_on = [google_secret_manager_secret_iam_member.reads]
}

# ---- its rights

resource "google_secret_manager_secret_iam_member" "reads" {
  for_each  = var.secrets
  project   = var.project.id
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
  project  = var.project.id
  name     = google_cloud_run_v2_service.this.name
  location = google_cloud_run_v2_service.this.location
  role     = "roles/run.invoker"
  member   = local._caller.member
}

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = var.iap ? [] : coalesce(var.invokers, [])
  project  = var.project.id
  name     = google_cloud_run_v2_service.this.name
  location = google_cloud_run_v2_service.this.location
  role     = "roles/run.invoker"
  member   = each.value
}

# With Identity-Aware Proxy the invokers sign in to the proxy, and the proxy calls.
resource "google_iap_web_cloud_run_service_iam_member" "invokers" {
  for_each               = var.iap ? coalesce(var.invokers, []) : []
  project                = var.project.id
  location               = google_cloud_run_v2_service.this.location
  cloud_run_service_name = google_cloud_run_v2_service.this.name
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = each.value
}

resource "google_cloud_run_v2_service_iam_member" "proxy" {
  count    = var.iap ? 1 : 0
  project  = var.project.id
  name     = google_cloud_run_v2_service.this.name
  location = google_cloud_run_v2_service.this.location
  role     = "roles/run.invoker"
  member   = var.project.agents["iap.googleapis.com"]
}

resource "google_pubsub_subscription" "this" {
  for_each                   = var.subscriptions
  name                       = "${var.name}-${each.key}"
  project                    = var.project.id
  topic                      = each.value.topic.id
  filter                     = each.value.filter
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = google_cloud_run_v2_service.this.uri
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
    max_delivery_attempts = each.value.attempts
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
  member             = local._pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each     = google_pubsub_subscription.this
  project      = var.project.id
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local._pubsub_agent
}
