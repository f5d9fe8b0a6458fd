variable "environment" {
  description = "Settings; docs/settings.md documents each one."
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
  description = "Region in which it runs."
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
  description = "Its rights on buckets, as in modules/storage_rights."
  type        = map(object({ bucket = string, role = string, prefix = optional(string), suffix = optional(string) }))
  nullable    = false
}

variable "vpc_connector" {
  description = "Full name of the connector for outgoing traffic; null: none."
  type        = string
  default     = null
}
