variable "agents" {
  description = "Further services of Google that act for the project by an account of their own."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "id" {
  description = "The project."
  type        = string
  nullable    = false
}

variable "kms_key" {
  description = "Full name of the key that encrypts what is stored; null: Google's."
  type        = string
  default     = null
}

variable "log_object_reads" {
  description = "Write reads of objects to the audit log as well."
  type        = bool
  nullable    = false
  default     = false
}

variable "region" {
  description = "Region in which everything runs and is stored."
  type        = string
  nullable    = false
}

variable "services" {
  description = "Further services of Google that are used."
  type        = list(string)
  nullable    = false
  default     = []
}
