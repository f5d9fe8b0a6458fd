variable "concurrency" {
  description = "How many requests one instance answers at a time."
  type        = number
  nullable    = false
  default     = 1
}

variable "description" {
  description = "What the function does, in a sentence."
  type        = string
  nullable    = false
}

variable "entry_point" {
  description = "Name of the function in its main.py."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Settings; src/millrace/config.py says what each one holds."
  type        = map(string)
  nullable    = false
}

variable "ingress" {
  description = "From where it can be reached, in the platform's words; whoever reaches it still needs the right to call it."
  type        = string
  nullable    = false
  default     = "ALLOW_INTERNAL_ONLY"
  validation {
    condition     = contains(["ALLOW_ALL", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_INTERNAL_ONLY"], var.ingress)
    error_message = "ingress: ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL."
  }
}

variable "invokers" {
  description = "Who may call it, as IAM members, maybe nobody. Null: one account that is made for it, as which subscriptions and schedules call."
  type        = set(string)
  default     = null
  validation {
    condition     = alltrue([for member in coalesce(var.invokers, []) : can(regex("^(group|serviceAccount|user):[^@ ]+@[^@ ]+$|^principal(Set)?://.+$", member))])
    error_message = "invokers: group:, serviceAccount: or user: with an e-mail address, or principal:// and principalSet://, was expected; never the public."
  }
  validation {
    condition     = var.invokers == null || length(var.subscriptions) == 0
    error_message = "invokers: subscriptions call as the account that is made when there are none."
  }
}

variable "max_instances" {
  description = "How many of it may run at a time."
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
  description = "The object that holds the source package; its name tells its content."
  type        = object({ bucket = string, name = string })
  nullable    = false
}

variable "platform" {
  description = "What all functions have in common: where they run, who builds them into which repository, and Pub/Sub's own account."
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
  description = "What it may do in which bucket, as in modules/storage_rights."
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
