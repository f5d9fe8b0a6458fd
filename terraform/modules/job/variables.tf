variable "environment" {
  description = "Settings; docs/settings.md documents each one."
  type        = map(string)
  nullable    = false
}

variable "image" {
  description = "The image, by its digest."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the job and of its account."
  type        = string
  nullable    = false
}

variable "project" {
  description = "The project, as modules/project puts it out."
  type        = object({ id = string, kms_key = optional(string), region = string })
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

variable "vpc" {
  description = "Way of all outgoing traffic, one of two: full name of a connector, or of a subnetwork; null: none."
  type        = object({ connector = optional(string), subnetwork = optional(string) })
  default     = null
}
