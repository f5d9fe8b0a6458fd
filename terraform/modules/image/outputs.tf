output "references" {
  description = "Each image by its digest; known when it is built."
  value       = { for name, image in data.google_artifact_registry_docker_image.this : name => image.self_link }
}
