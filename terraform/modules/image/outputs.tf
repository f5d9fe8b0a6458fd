output "reference" {
  description = "The image with its tag; known when it is built."
  value       = terraform_data.this.output
}
