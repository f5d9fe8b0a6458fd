variable "deletion_protection" {
  description = "Refuse to delete the secret."
  type        = bool
  nullable    = false
  default     = true
}

variable "name" {
  description = "Name of the secret."
  type        = string
  nullable    = false
}

variable "project" {
  description = "The project, as modules/project puts it out."
  type        = object({ id = string, kms_key = optional(string), region = string })
  nullable    = false
}

variable "value" {
  description = "The value; stored when value_version is new, and not needed otherwise."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
}

variable "value_version" {
  description = "Number of the value; raise it to store a new one."
  type        = number
  nullable    = false
}
