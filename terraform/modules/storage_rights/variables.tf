variable "member" {
  description = "Who may, as an IAM member."
  type        = string
  nullable    = false
}

variable "rights" {
  description = "What for: a role on a bucket, for the objects whose names begin and end so (null: for all, and for listing)."
  type        = map(object({ bucket = string, role = string, prefix = optional(string), suffix = optional(string) }))
  nullable    = false
  validation {
    condition     = alltrue([for each in var.rights : each.suffix == null || each.prefix != null])
    error_message = "rights: a suffix needs a prefix as well."
  }
}
