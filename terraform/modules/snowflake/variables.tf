variable "account" {
  description = "The account, as organization-account; the addresses contain it."
  type        = string
  nullable    = false
}

variable "bucket" {
  description = "Name of the lake's bucket; its raw/ is read."
  type        = string
  nullable    = false
}

variable "bucket_looker" {
  description = "The role by which Snowflake reads the bucket's metadata and lists its objects."
  type        = string
  nullable    = false
}

variable "credits_per_month" {
  description = "Credits of a calendar month after which the warehouse is suspended."
  type        = number
  nullable    = false
  validation {
    condition     = var.credits_per_month >= 1 && floor(var.credits_per_month) == var.credits_per_month
    error_message = "credits_per_month: a whole number of at least 1; with none nothing could be loaded."
  }
}

variable "delete_data" {
  description = "Let a destroy drop the database."
  type        = bool
  nullable    = false
  default     = false
}

variable "edition" {
  description = "The account's edition: standard has no session policies and one day of history; enterprise covers all others."
  type        = string
  nullable    = false
  validation {
    condition     = contains(["enterprise", "standard"], var.edition)
    error_message = "edition: standard, or enterprise for that one and those above it."
  }
}

variable "host" {
  description = "Host of the account where it is reached by PrivateLink; null: its public one."
  type        = string
  default     = null
}

variable "keys" {
  description = "Public keys of the users that do not sign in by their identity; the old key too while it is replaced."
  type        = map(object({ public_key = string, old_public_key = optional(string) }))
  nullable    = false
  default     = {}
}

variable "name" {
  description = "Name of the database and of the warehouse, and the begin of every other name outside the database."
  type        = string
  nullable    = false
  default     = "MILLRACE"
  validation {
    condition     = can(regex("^MILLRACE(_[A-Z][A-Z0-9]{0,19})?$", var.name))
    error_message = "name: MILLRACE, alone or followed by _ and up to 20 upper-case letters and digits: an unquoted identifier."
  }
}

variable "network_policy" {
  description = "Name of the network policy that the users have instead of the account's; null: the account's."
  type        = string
  default     = null
}

variable "retention_days" {
  description = "Days for which dropped or changed tables can be restored."
  type        = number
  nullable    = false
  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= (var.edition == "standard" ? 1 : 90)
    error_message = "retention_days: between 1, so that what was dropped can be brought back, and 90; 1 with the standard edition."
  }
}

variable "subjects" {
  description = "Subjects of the Google accounts' tokens that sign in, by the end of the user's name. API only where it is deployed."
  type        = map(string)
  nullable    = false
  validation {
    condition     = length(setsubtract(keys(var.subjects), ["API", "BUILDER", "LOADER", "SWEEPER"])) == 0
    error_message = "subjects: of API, BUILDER, LOADER and SWEEPER; other readers are people, and get the role MILLRACE_READER."
  }
}

variable "writers" {
  description = "Most sessions at a time that each user may take the write lock with."
  type        = map(number)
  nullable    = false
  validation {
    condition     = sum(values(var.writers)) <= 20
    error_message = "writers: at most 20 together: one holds the lock, and Snowflake lets no more than 20 statements wait for it."
  }
}
