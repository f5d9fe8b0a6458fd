variable "member" {
  description = "The account, as an IAM member."
  type        = string
  nullable    = false
}

variable "rights" {
  description = "Its rights: a role on a bucket, for objects with this prefix, suffix, and text in between (null: for all, and for listing)."
  type        = map(object({ bucket = string, role = string, prefix = optional(string), middle = optional(string), suffix = optional(string) }))
  nullable    = false
  validation {
    condition     = alltrue([for each in var.rights : each.prefix != null || (each.middle == null && each.suffix == null)])
    error_message = "rights: a suffix, or a text in between, needs a prefix as well."
  }
}
