# The two buckets with data that cannot be made again, and the notifications of new objects.
locals {
  buckets = {
    lake       = "${var.project.id}-${var.prefix}lake"
    quarantine = "${var.project.id}-${var.prefix}quarantine"
  }
}

resource "google_storage_bucket" "this" {
  # checkov:skip=CKV_GCP_62:reads are in the project's audit log, not in another bucket
  # checkov:skip=CKV_GCP_78:objects are write-once; soft delete keeps what is replaced or deleted
  for_each                    = local.buckets
  name                        = each.value
  project                     = var.project.id
  location                    = var.project.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.delete_data

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  # No data is ever deleted by age: the warehouse can be rebuilt from raw, and people empty the quarantine.
  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "NEARLINE"
    }
    condition {
      age                   = 60
      matches_prefix        = ["raw/", "drop/", "quarantine/"]
      matches_storage_class = ["STANDARD"]
    }
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 90
      matches_prefix = ["build/artifacts/"] # dbt's artifacts of a build: a megabyte each
    }
  }
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "encryption" {
    for_each = var.project.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  # Another location would be another bucket: refuse it, rather than replace the data.
  lifecycle {
    ignore_changes = [location]
    postcondition {
      condition     = upper(self.location) == upper(var.project.region)
      error_message = "region: the bucket ${self.name} lies in ${lower(self.location)}, and a bucket cannot move; set region = \"${lower(self.location)}\"."
    }
  }
}

resource "google_pubsub_topic_iam_member" "storage_publishes" {
  topic  = var.events_topic
  role   = "roles/pubsub.publisher"
  member = var.project.storage_agent
}

# No events for state/ and build/: each lease would wake the loader. The prefixes are in src/millrace/bus/events.py.
resource "google_storage_notification" "this" {
  for_each           = toset(["raw/", "drop/", "runs/"])
  bucket             = google_storage_bucket.this["lake"].name
  topic              = var.events_topic
  payload_format     = "JSON_API_V1"
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = each.value
  depends_on         = [google_pubsub_topic_iam_member.storage_publishes]
}
