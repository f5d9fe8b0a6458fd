variable "deletion_protection" {
  description = "Refuse to delete the secret."
  type        = bool
  nullable    = false
  default     = true
}

variable "kms_key" {
  description = "Full name of the key that encrypts the secret; null: Google's."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the secret."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region in which the secret is stored."
  type        = string
  nullable    = false
}

variable "value" {
  description = "The value; stored when value_version is new."
  type        = string
  nullable    = false
  ephemeral   = true
  sensitive   = true
}

variable "value_version" {
  description = "Number of the value; raise it to store a new one."
  type        = number
  nullable    = false
}
