variable "concurrency" {
  description = "Number of requests that one instance handles at a time."
  type        = number
  nullable    = false
  default     = 1
}

variable "description" {
  description = "The purpose of the function, in a sentence."
  type        = string
  nullable    = false
}

variable "entry_point" {
  description = "Name of the function in its main.py."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Settings; docs/settings.md documents each one."
  type        = map(string)
  nullable    = false
}

variable "ingress" {
  description = "Networks from which it can be reached, as the platform names them; a caller still needs the right to call it."
  type        = string
  nullable    = false
  default     = "ALLOW_INTERNAL_ONLY"
  validation {
    condition     = contains(["ALLOW_ALL", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_INTERNAL_ONLY"], var.ingress)
    error_message = "ingress: ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL."
  }
}

variable "invokers" {
  description = "Identities that may call it, as IAM members; may be empty. Null: one account is made for it, which subscriptions and schedules call as."
  type        = set(string)
  default     = null
  validation {
    condition     = alltrue([for member in coalesce(var.invokers, []) : can(regex("^(group|serviceAccount|user):[^@ ]+@[^@ ]+$|^principal(Set)?://.+$", member))])
    error_message = "invokers: expected group:, serviceAccount: or user: with an e-mail address, or principal:// and principalSet://; never the public."
  }
  validation {
    condition     = var.invokers == null || length(var.subscriptions) == 0
    error_message = "invokers: subscriptions call as the account that is made when there are none."
  }
}

variable "max_instances" {
  description = "Number of instances that may run at a time."
  type        = number
  nullable    = false
  default     = 1
}

variable "memory" {
  description = "Memory of one instance."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the function and of its account."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}[a-z0-9]$", var.name))
    error_message = "name: 3 to 25 lower-case letters, digits and hyphens: with call- it is the name of an account, 30 at most."
  }
}

variable "package" {
  description = "The object that holds the source package; its name contains the hash of its content."
  type        = object({ bucket = string, name = string })
  nullable    = false
}

variable "platform" {
  description = "Settings that all functions share: their region, their build account and repository, and Pub/Sub's own account."
  type = object({
    build_account = string
    kms_key       = optional(string)
    project_id    = string
    pubsub_agent  = string
    region        = string
    repository    = string
    vpc_connector = optional(string)
  })
  nullable = false
}

variable "publishes_to" {
  description = "Full names of the topics it may publish to."
  type        = map(string)
  nullable    = false
  default     = {}
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
  default     = {}
}

variable "subscriptions" {
  description = "The topics whose messages are pushed to it, each with a filter on attributes (null: all)."
  type = map(object({
    topic  = object({ id = string, dead_letter_topic = string })
    filter = optional(string)
  }))
  nullable = false
  default  = {}
}
