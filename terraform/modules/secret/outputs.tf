output "id" {
  description = "Name of the secret within its project."
  value       = google_secret_manager_secret.this.secret_id
}

output "version" {
  description = "Number of the newest version."
  value       = google_secret_manager_secret_version.this.version
}
