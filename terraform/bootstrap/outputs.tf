output "backend" {
  description = "Content of terraform/backend.tf, by which a deployment keeps its state in the bucket."
  value       = <<-HCL
    terraform {
      backend "gcs" {
        bucket = "${google_storage_bucket.state.name}"
      }
    }
  HCL
}
