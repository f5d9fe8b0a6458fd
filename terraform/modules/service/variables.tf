variable "args" {
  description = "Arguments of the image's entry point; null: those of the image."
  type        = list(string)
  default     = null
}

variable "command" {
  description = "The command to run; null: the image's entry point."
  type        = list(string)
  default     = null
}

variable "concurrency" {
  description = "Number of requests that one instance handles at a time."
  type        = number
  nullable    = false
  default     = 1
}

variable "description" {
  description = "The purpose of the service, in a sentence."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Settings; docs/settings.md documents each one."
  type        = map(string)
  nullable    = false
}

variable "iap" {
  description = "Let Identity-Aware Proxy sign its invokers in, so that people can call it from a browser."
  type        = bool
  nullable    = false
  default     = false
  validation {
    condition     = !var.iap || var.invokers != null
    error_message = "iap: subscriptions and schedules cannot sign in to a proxy; only for a service with invokers."
  }
}

variable "image" {
  description = "The image, by its digest."
  type        = string
  nullable    = false
}

variable "ingress" {
  description = "Networks from which it can be reached, as the platform names them; a caller still needs the right to call it."
  type        = string
  nullable    = false
  default     = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_INTERNAL_ONLY"], var.ingress)
    error_message = "ingress: INGRESS_TRAFFIC_ALL, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_INTERNAL_ONLY."
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
  description = "Name of the service and of its account."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}[a-z0-9]$", var.name))
    error_message = "name: 3 to 25 lower-case letters, digits and hyphens: with call- it is the name of an account, 30 at most."
  }
}

variable "project" {
  description = "The project, as modules/project puts it out."
  type        = object({ agents = map(string), id = string, kms_key = optional(string), region = string })
  nullable    = false
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
  type        = map(object({ bucket = string, role = string, prefix = optional(string), middle = optional(string), suffix = optional(string) }))
  nullable    = false
  default     = {}
}

variable "subscriptions" {
  description = "The topics whose messages are pushed to it, each with a filter on attributes (null: all), and how often a message is tried."
  type = map(object({
    topic    = object({ id = string, dead_letter_topic = string })
    filter   = optional(string)
    attempts = optional(number, 20) # about two and a half hours
  }))
  nullable = false
  default  = {}
}

variable "timeout_s" {
  description = "Seconds that a request may take."
  type        = number
  nullable    = false
  default     = 540
  validation {
    condition     = var.timeout_s < 600
    error_message = "timeout_s: less than the 600 after which Pub/Sub delivers a message again."
  }
}

variable "vpc" {
  description = "Way of all outgoing traffic, one of two: full name of a connector, or of a subnetwork; null: none."
  type        = object({ connector = optional(string), subnetwork = optional(string) })
  default     = null
}
