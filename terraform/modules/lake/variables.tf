variable "delete_data" {
  description = "Let a destroy delete the objects as well."
  type        = bool
  nullable    = false
  default     = false
}

variable "events_topic" {
  description = "Full name of the topic that receives the events of new objects."
  type        = string
  nullable    = false
}

variable "kms_key" {
  description = "Full name of the key that encrypts objects; null: Google's."
  type        = string
  default     = null
}

variable "project_id" {
  description = "The project; the names of the buckets begin with it."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region in which objects are stored."
  type        = string
  nullable    = false
}

variable "soft_delete_days" {
  description = "Days for which a deleted or replaced object can be restored."
  type        = number
  nullable    = false
  default     = 7
  validation {
    condition     = var.soft_delete_days >= 7
    error_message = "soft_delete_days: at least 7."
  }
}

variable "storage_agent" {
  description = "Cloud Storage's own account, as an IAM member."
  type        = string
  nullable    = false
}
