variable "environment" {
  description = "Settings; src/millrace/config.py says what each one holds."
  type        = map(string)
  nullable    = false
}

variable "image" {
  description = "The image with its tag."
  type        = string
  nullable    = false
}

variable "kms_key" {
  description = "Full name of the key that encrypts the image; null: Google's."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the job and of its account."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Where it runs."
  type        = string
  nullable    = false
}

variable "secrets" {
  description = "Settings that come from a secret, by name."
  type        = map(object({ id = string, version = string }))
  nullable    = false
  default     = {}
}

variable "storage" {
  description = "What it may do in which bucket, as in modules/storage_rights."
  type        = map(object({ bucket = string, role = string, prefix = optional(string), suffix = optional(string) }))
  nullable    = false
}

variable "vpc_connector" {
  description = "Full name of the connector that it goes out through; null: directly."
  type        = string
  default     = null
}
