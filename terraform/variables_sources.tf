variable "source_keys" {
  description = "The secret of each of the sources, by its key: a token, or the private key of the App as PEM. Needed only when its key_version is new; in no plan and no state."
  type        = map(string)
  nullable    = false
  default     = {}
  ephemeral   = true
  sensitive   = true
  validation {
    condition     = alltrue([for secret in values(var.source_keys) : trimspace(secret) != ""])
    error_message = "source_keys: expected a token, or the private key of an App, for each source; leave out those that are stored already."
  }
  validation {
    condition     = length(setsubtract(keys(var.source_keys), keys(var.sources))) == 0
    error_message = "source_keys: expected only keys of sources."
  }
}

variable "sources" {
  description = "Sources with an account, by their keys: kind github, whose account is an organization or a user. docs/operations.md describes each setting."
  type = map(object({
    kind           = string
    app_id         = optional(string)          # of a GitHub App, whose private key is the secret; null: the secret is a token
    bodies         = optional(bool, false)     # read the texts of pull requests
    first_days     = optional(number, 90)      # days that the first run reads, before the rest
    interval_hours = optional(number, 24)      # from one run to the next
    key_version    = optional(number, 1)       # counts the rotations of the secret: raise it to store a new one
    owner          = optional(string)          # the organization or user; null: the key
    repositories   = optional(set(string), []) # their names; empty: all that the secret may see
    titles         = optional(bool, true)      # read the titles of pull requests
    url            = optional(string)          # of a server of your own, or of ghe.com; null: github.com
  }))
  nullable = false
  default  = {}
  validation {
    condition     = alltrue([for key in keys(var.sources) : can(regex("^[a-z0-9][a-z0-9-]{0,38}$", key))])
    error_message = "sources: a key has 1 to 39 lower-case letters, digits and hyphens, and does not begin with a hyphen."
  }
  validation {
    condition     = alltrue([for each in var.sources : each.kind == "github"])
    error_message = "sources: kind is github; the source of source_url is not one of them."
  }
  validation {
    condition     = alltrue([for each in var.sources : each.owner == null || can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,38}$", each.owner))])
    error_message = "sources: owner is the login of an organization or a user: 1 to 39 letters, digits and hyphens."
  }
  validation {
    condition     = length(distinct([for key, each in var.sources : lower(coalesce(each.owner, key))])) == length(var.sources)
    error_message = "sources: an owner has one source, as its rows have its name and nothing of the server; give each owner once."
  }
  validation {
    condition     = alltrue([for each in var.sources : each.url == null || can(regex("^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?$", each.url))])
    error_message = "sources: url is https://HOST of a server of your own, or https://SUBDOMAIN.ghe.com, without credentials; null for github.com."
  }
  validation {
    condition     = alltrue(flatten([for each in var.sources : [for name in each.repositories : can(regex("^[A-Za-z0-9._-]{1,100}$", name)) && !contains([".", ".."], name)]]))
    error_message = "sources: repositories are names without their owner, such as shop."
  }
  validation {
    condition     = alltrue([for each in var.sources : each.first_days >= 1 && each.first_days <= 3650 && floor(each.first_days) == each.first_days])
    error_message = "sources: first_days is a whole number from 1 to 3650."
  }
  validation {
    condition     = alltrue([for each in var.sources : each.app_id == null || can(regex("^([0-9]{1,19}|Iv[A-Za-z0-9.]{8,38})$", each.app_id))])
    error_message = "sources: app_id is the number of a GitHub App, or its client id."
  }
  validation {
    condition     = alltrue([for each in var.sources : contains([1, 2, 3, 4, 6, 8, 12, 24], each.interval_hours)])
    error_message = "sources: interval_hours is one of 1, 2, 3, 4, 6, 8, 12, 24, so that each day has the same runs."
  }
  validation {
    condition     = alltrue([for each in var.sources : each.key_version >= 1 && floor(each.key_version) == each.key_version])
    error_message = "sources: key_version is a whole number of at least 1."
  }
}
