variable "alert_channels" {
  description = "Notification channels of any kind, by their full names, that are notified beside alert_emails."
  type        = set(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for channel in var.alert_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", channel))])
    error_message = "alert_channels: expected projects/P/notificationChannels/N: gcloud beta monitoring channels list --format='value(name)'."
  }
}

variable "alert_emails" {
  description = "E-mail addresses that are notified when an alert opens. Empty: alerts are shown in the console only."
  type        = set(string)
  nullable    = false
  default     = []
}

variable "alert_runbook_url" {
  description = "URL that every alert links to, such as docs/operations.md in the company's copy of this repository; null: none."
  type        = string
  default     = null
  validation {
    condition     = var.alert_runbook_url == null || can(regex("^https://[^ ]+$", var.alert_runbook_url))
    error_message = "alert_runbook_url: expected https://…"
  }
}

variable "api_iap" {
  description = "Let api_readers sign in to the read API in a browser, by Identity-Aware Proxy. The project must belong to an organization."
  type        = bool
  nullable    = false
  default     = false
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

variable "base_image" {
  description = "The Python image that both images are based on, best with its digest, NAME:TAG@sha256:…."
  type        = string
  nullable    = false
  default     = "python:3.12-slim-bookworm"
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9./:_-]*(@sha256:[0-9a-f]{64})?$", var.base_image))
    error_message = "base_image: expected NAME:TAG, or NAME:TAG@sha256: with 64 hexadecimal digits."
  }
}

variable "billing_account" {
  description = "The billing account of the budget: gcloud billing accounts list. Null: no budget."
  type        = string
  default     = null
  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account: expected 6-6-6 hexadecimal digits, such as 01AB23-CD45EF-678901."
  }
}

variable "budget_usd_per_month" {
  description = "Dollars of Google Cloud in a calendar month; notifies at 50, 90 and 100 %, and stops nothing. Null: no budget."
  type        = number
  default     = null
  validation {
    condition     = (var.budget_usd_per_month == null) == (var.billing_account == null)
    error_message = "budget_usd_per_month: set it together with billing_account, or neither."
  }
  validation {
    condition     = var.budget_usd_per_month == null ? true : var.budget_usd_per_month >= 1 && floor(var.budget_usd_per_month) == var.budget_usd_per_month
    error_message = "budget_usd_per_month: a whole number of at least 1."
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

variable "images" {
  description = "Images of functions and job that somebody published, by digest: nothing is built then. Null: Cloud Build makes them of this checkout."
  type        = object({ functions = string, job = string })
  default     = null
  validation {
    condition     = var.images == null || alltrue([for image in values(coalesce(var.images, {})) : can(regex("^[^@ ]+/[^@ ]+@sha256:[0-9a-f]{64}$", image))])
    error_message = "images: expected functions and job as REGISTRY/NAME@sha256: with 64 hexadecimal digits; a tag may be moved."
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
  description = "Full name of a Cloud KMS key that encrypts buckets, topics, images, services and the secret; null: Google's keys."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key: expected projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "log_object_reads" {
  description = "Write reads of objects to the audit log as well as writes. The page and the sweep read much: logs cost beyond 50 GiB a month."
  type        = bool
  nullable    = false
  default     = false
}

variable "people" {
  description = "How the page and the read API show people: names, pseudonyms (made with people_key), or off."
  type        = string
  nullable    = false
  default     = "names"
  validation {
    condition     = contains(["names", "off", "pseudonyms"], var.people)
    error_message = "people: expected names, pseudonyms or off."
  }
  validation {
    condition     = var.people != "pseudonyms" || var.people_key != null
    error_message = "people: pseudonyms need people_key, a secret with a key of 16 characters or more."
  }
}

variable "people_key" {
  description = "The existing secret, and the number of its version, with the key from which pseudonyms of people are made."
  type        = object({ secret = string, version = string })
  default     = null
  validation {
    condition     = var.people_key == null || can(regex("^[0-9]+$", var.people_key.version))
    error_message = "people_key: a secret is pinned to the number of a version, as another key makes other pseudonyms."
  }
}

variable "prefix" {
  description = "Begin of all names in Google Cloud, for a second deployment in one project; snowflake_prefix is that of Snowflake. Never change it."
  type        = string
  nullable    = false
  default     = ""
  validation {
    condition     = can(regex("^([a-z][a-z0-9]{0,2})?$", var.prefix))
    error_message = "prefix: up to 3 lower-case letters and digits, a letter first: names of accounts have 30 characters at most."
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
  description = "Region in which everything runs and is stored, best that of the Snowflake account. Deployed before version 0.4: europe-west1."
  type        = string
  nullable    = false
  default     = "europe-west4"
  validation {
    condition     = contains(local.regions.cloud_run_and_scheduler, var.region)
    error_message = "region: expected one that has Cloud Run and Cloud Scheduler, of terraform/regions.json: ${join(", ", local.regions.cloud_run_and_scheduler)}."
  }
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

variable "snowflake_host" {
  description = "Host of the Snowflake account where functions and job reach it by PrivateLink; null: its public one."
  type        = string
  default     = null
  validation {
    condition     = var.snowflake_host == null || can(regex("^[a-z0-9_-]+(\\.[a-z0-9-]+)*\\.snowflakecomputing\\.(com|cn)$", var.snowflake_host))
    error_message = "snowflake_host: expected a host that ends in .snowflakecomputing.com, in lower case, without https:// and without a port."
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

variable "snowflake_network_policy" {
  description = "Name of an existing network policy for the users of functions and job, instead of the account's own; null: none."
  type        = string
  default     = null
  validation {
    condition     = var.snowflake_network_policy == null || can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,254}$", var.snowflake_network_policy))
    error_message = "snowflake_network_policy: expected the name of a network policy, an unquoted identifier."
  }
}

variable "snowflake_prefix" {
  description = "Follows MILLRACE in all names of the Snowflake account, for several environments in one account. Never change it."
  type        = string
  nullable    = false
  default     = ""
  validation {
    condition     = can(regex("^([a-z][a-z0-9]{0,19})?$", var.snowflake_prefix))
    error_message = "snowflake_prefix: up to 20 lower-case letters and digits, a letter first; it is written in upper case there."
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
  description = "The key of the source API. Needed only when source_key_version is new; in no plan and no state."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
  validation {
    condition     = var.source_key != ""
    error_message = "source_key: set TF_VAR_source_key to the key of the source API, or leave it unset where the key is stored already."
  }
}

variable "source_key_version" {
  description = "Counts the rotations of the source key: raise it to store a new source_key."
  type        = number
  nullable    = false
  default     = 1
}

variable "source_objects" {
  description = "What is read of source_url: commits, pull_requests; empty: both. With commits alone source_url may be Cursor's API, whose AI lines join the pull requests of sources."
  type        = set(string)
  nullable    = false
  default     = []
  validation {
    condition     = length(setsubtract(var.source_objects, ["commits", "pull_requests"])) == 0
    error_message = "source_objects: expected commits, pull_requests, or both; empty for both."
  }
  validation {
    condition     = length(var.source_objects) == 0 || var.source_url != null
    error_message = "source_objects: expected only with source_url; sources are read as a whole."
  }
}

variable "source_requests_per_minute" {
  description = "Rate limit of the source per key. All that read share it; one that reads alone has all of it."
  type        = number
  nullable    = false
  default     = 100
  validation {
    condition     = var.source_requests_per_minute >= 1
    error_message = "source_requests_per_minute: at least 1."
  }
}

variable "source_url" {
  description = "URL of the source API; null where only sources are read."
  type        = string
  default     = null
  validation {
    condition     = var.source_url == null || can(regex("^https://[^@?#]+$", var.source_url))
    error_message = "source_url: expected https://host, without a key in it."
  }
  validation {
    condition     = var.source_url != null || length(var.sources) > 0
    error_message = "source_url: expected the URL of a source API, or sources."
  }
}

variable "vpc_connector" {
  description = "Full name of a Serverless VPC Access connector for all outgoing traffic; null: none. Not with vpc_subnetwork."
  type        = string
  default     = null
  validation {
    condition     = var.vpc_connector == null || can(regex("^projects/[^/]+/locations/[^/]+/connectors/[^/]+$", var.vpc_connector))
    error_message = "vpc_connector: expected projects/P/locations/L/connectors/C."
  }
}

variable "vpc_subnetwork" {
  description = "Full name of a subnetwork for all outgoing traffic, without a connector (Direct VPC egress); null: none."
  type        = string
  default     = null
  validation {
    condition     = var.vpc_subnetwork == null || can(regex("^projects/[^/]+/regions/[^/]+/subnetworks/[^/]+$", var.vpc_subnetwork))
    error_message = "vpc_subnetwork: expected projects/P/regions/R/subnetworks/S."
  }
  validation {
    condition     = var.vpc_subnetwork == null || var.vpc_connector == null
    error_message = "vpc_subnetwork: traffic has one way; unset vpc_connector."
  }
}
