variable "alert_emails" {
  description = "E-mail addresses that are notified when an alert opens. Empty: alerts are shown in the console only."
  type        = set(string)
  nullable    = false
  default     = []
}

variable "api_ingress" {
  description = "Networks from which the read API can be reached: the project's, load balancers as well, or any. A caller still has to be one of api_readers."
  type        = string
  nullable    = false
  default     = "ALLOW_INTERNAL_ONLY"
  validation {
    condition     = contains(["ALLOW_ALL", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_INTERNAL_ONLY"], var.api_ingress)
    error_message = "api_ingress: ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL; docs/operations.md says for whom each one is."
  }
}

variable "api_readers" {
  description = "Identities that may call the read API and see its page, as IAM members, best one group: group:analysts@example.com."
  type        = set(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for member in var.api_readers : can(regex("^(group|serviceAccount|user):[^@ ]+@[^@ ]+$|^principal(Set)?://.+$", member))])
    error_message = "api_readers: expected group:, serviceAccount: or user: with an e-mail address, or principal:// and principalSet://; never the public."
  }
}

variable "collectors" {
  description = "Identities that may upload the usage of coding agents, as IAM members, best one group: group:developers@example.com."
  type        = set(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for member in var.collectors : can(regex("^(group|serviceAccount|user):[^@ ]+@[^@ ]+$|^principal(Set)?://.+$", member))])
    error_message = "collectors: expected group:, serviceAccount: or user: with an e-mail address, or principal:// and principalSet://; never the public."
  }
}

variable "delete_data" {
  description = "Let a destroy delete the objects of the lake, the database of Snowflake and the source key. The first of two confirmations."
  type        = bool
  nullable    = false
  default     = false
}

variable "developers" {
  description = "Number of developers in the source; only the cost estimate depends on it."
  type        = number
  nullable    = false
  default     = 50
  validation {
    condition     = var.developers > 0 && var.developers <= 50000
    error_message = "developers: between 1 and 50000, which is what the cost model was measured for."
  }
}

variable "interval_hours" {
  description = "Hours from one run to the next. The main cost setting: the schedule, the alerts and the estimate follow from it."
  type        = number
  nullable    = false
  default     = 24
  validation {
    condition     = contains([1, 2, 3, 4, 6, 8, 12, 24], var.interval_hours)
    error_message = "interval_hours: one of 1, 2, 3, 4, 6, 8, 12, 24, so that each day has the same runs."
  }
}

variable "kms_key" {
  description = "Full name of a Cloud KMS key that encrypts buckets, topics, images, functions and the secret; null: Google's keys."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key: expected projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "project_id" {
  description = "The project that holds everything. One environment is one project."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id: expected 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region in which everything runs and is stored."
  type        = string
  nullable    = false
  default     = "europe-west1"
}

variable "snowflake_account" {
  description = "The Snowflake account, as organization-account: select current_organization_name() || '-' || current_account_name()."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9]*-[A-Za-z][A-Za-z0-9_]*$", var.snowflake_account))
    error_message = "snowflake_account: expected organization-account, without a host and without credentials."
  }
}

variable "snowflake_credits_per_month" {
  description = "Credits of a calendar month after which the warehouse is suspended; about twice the estimate."
  type        = number
  nullable    = false
  default     = 60
  validation {
    condition     = var.snowflake_credits_per_month >= 1 && floor(var.snowflake_credits_per_month) == var.snowflake_credits_per_month
    error_message = "snowflake_credits_per_month: a whole number of at least 1; with none nothing could be loaded."
  }
}

variable "snowflake_edition" {
  description = "The account's edition: standard has no session policies and one day of history; enterprise covers all others."
  type        = string
  nullable    = false
  default     = "enterprise"
  validation {
    condition     = contains(["enterprise", "standard"], var.snowflake_edition)
    error_message = "snowflake_edition: standard, or enterprise for that one and those above it."
  }
}

variable "snowflake_keys" {
  description = "Snowflake users that sign in by a key pair instead of their own identity: the secret with the private key, and the public key."
  type        = map(object({ secret = string, version = string, public_key = string, old_public_key = optional(string) }))
  nullable    = false
  default     = {}
  validation {
    condition     = length(setsubtract(keys(var.snowflake_keys), ["API", "BUILDER", "LOADER", "SWEEPER"])) == 0
    error_message = "snowflake_keys: expected keys of API, BUILDER, LOADER or SWEEPER, the users of Snowflake."
  }
  validation {
    condition     = alltrue([for key in var.snowflake_keys : can(regex("^[A-Za-z0-9+/]+=*$", key.public_key))])
    error_message = "snowflake_keys: a public key is one line of Base64, without the lines that begin and end a PEM; and never the private one."
  }
  validation {
    condition     = alltrue([for key in var.snowflake_keys : can(regex("^[0-9]+$", key.version))])
    error_message = "snowflake_keys: a secret is pinned to the number of a version, so that a deployment changes both keys."
  }
}

variable "snowflake_retention_days" {
  description = "Days for which dropped or changed tables of Snowflake can be restored."
  type        = number
  nullable    = false
  default     = 7
  validation {
    condition     = var.snowflake_retention_days >= 1 && var.snowflake_retention_days <= (var.snowflake_edition == "standard" ? 1 : 90)
    error_message = "snowflake_retention_days: between 1, so that what was dropped can be brought back, and 90; 1 with the standard edition."
  }
}

variable "snowflake_staging" {
  description = "Removed; only its former default is accepted: remove the setting."
  type        = string
  nullable    = false
  default     = "copy"
  validation {
    condition     = var.snowflake_staging == "copy"
    error_message = "snowflake_staging was removed with Snowpipe: parts are copied when they are loaded. Remove the setting."
  }
}

variable "soft_delete_days" {
  description = "Days for which a deleted or replaced object can be restored."
  type        = number
  nullable    = false
  default     = 7
  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "soft_delete_days: between 7, so that a weekend's mistake can be mended on Monday, and 90."
  }
}

variable "source_key" {
  description = "The key of the source API. Read only when source_key_version is new; in no plan and no state."
  type        = string
  nullable    = false
  ephemeral   = true
  sensitive   = true
  validation {
    condition     = length(var.source_key) > 0
    error_message = "source_key: set TF_VAR_source_key to the key of the source API."
  }
}

variable "source_key_version" {
  description = "Counts the rotations of the source key: raise it to store a new source_key."
  type        = number
  nullable    = false
  default     = 1
}

variable "source_requests_per_minute" {
  description = "Rate limit of the source per key. Two tables are read at a time at most; each gets half."
  type        = number
  nullable    = false
  default     = 100
  validation {
    condition     = var.source_requests_per_minute >= 2
    error_message = "source_requests_per_minute: at least 2, one for each of two tables."
  }
}

variable "source_url" {
  description = "URL of the source API."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^https://[^@?#]+$", var.source_url))
    error_message = "source_url: expected https://host, without a key in it."
  }
}

variable "vpc_connector" {
  description = "Full name of a Serverless VPC Access connector for all outgoing traffic; null: none."
  type        = string
  default     = null
  validation {
    condition     = var.vpc_connector == null || can(regex("^projects/[^/]+/locations/[^/]+/connectors/[^/]+$", var.vpc_connector))
    error_message = "vpc_connector: expected projects/P/locations/L/connectors/C."
  }
}
