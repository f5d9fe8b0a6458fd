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

variable "prefix" {
  description = "Begin of the buckets' names, after that of the project."
  type        = string
  nullable    = false
  default     = ""
}

variable "project" {
  description = "The project, as modules/project puts it out."
  type        = object({ id = string, kms_key = optional(string), region = string, storage_agent = string })
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
