output "bucket" {
  description = "Name of the lake's bucket."
  value       = google_storage_bucket.this["lake"].name
}

output "quarantine_bucket" {
  description = "Name of the quarantine bucket."
  value       = google_storage_bucket.this["quarantine"].name
}
