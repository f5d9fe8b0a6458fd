variable "member" {
  description = "The account, as an IAM member."
  type        = string
  nullable    = false
}

variable "rights" {
  description = "Its rights: a role on a bucket, for objects with this prefix and suffix (null: for all, and for listing)."
  type        = map(object({ bucket = string, role = string, prefix = optional(string), suffix = optional(string) }))
  nullable    = false
  validation {
    condition     = alltrue([for each in var.rights : each.suffix == null || each.prefix != null])
    error_message = "rights: a suffix needs a prefix as well."
  }
}
