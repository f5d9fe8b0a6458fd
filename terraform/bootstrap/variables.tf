variable "kms_key" {
  description = "Full name of a Cloud KMS key that encrypts the state, which the account of Cloud Storage may use; null: Google's."
  type        = string
  default     = null
}

variable "project_id" {
  description = "The project that holds the bucket: that of the deployment, or one of its own."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Location of the bucket."
  type        = string
  nullable    = false
  default     = "europe-west4"
}
