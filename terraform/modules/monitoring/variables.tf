variable "api" {
  description = "Name of the service that people call."
  type        = string
  nullable    = false
}

variable "buckets" {
  description = "Names of the buckets, for the texts of alerts."
  type        = object({ lake = string, quarantine = string })
  nullable    = false
}

variable "channels" {
  description = "Full names of further notification channels, of any kind."
  type        = set(string)
  nullable    = false
  default     = []
}

variable "dead_letter_subscriptions" {
  description = "Names of the subscriptions that keep dead letters."
  type        = list(string)
  nullable    = false
}

variable "emails" {
  description = "E-mail addresses that are notified when an alert opens."
  type        = set(string)
  nullable    = false
}

variable "functions" {
  description = "Names of the services that subscriptions and schedules call."
  type        = list(string)
  nullable    = false
}

variable "interval_hours" {
  description = "Hours from one run to the next; an alert opens when nothing arrives for an hour longer."
  type        = number
  nullable    = false
}

variable "job" {
  description = "Name of the build job."
  type        = string
  nullable    = false
}

variable "prefix" {
  description = "Begin of all names."
  type        = string
  nullable    = false
  default     = ""
}

variable "project" {
  description = "The project, as modules/project puts it out."
  type        = object({ id = string, region = string })
  nullable    = false
}

variable "runbook_url" {
  description = "URL of a page that each alert links to; null: none."
  type        = string
  default     = null
}

variable "schedules" {
  description = "Names of the schedules."
  type        = list(string)
  nullable    = false
}

variable "sources" {
  description = "What is expected to be extracted by one function, by the name of it in a title: the function, and the hours from one run to the next."
  type        = map(object({ function = string, interval_hours = number }))
  nullable    = false
  default     = {}
}

variable "subscriptions" {
  description = "Names of the subscriptions that push to functions."
  type        = list(string)
  nullable    = false
}

variable "tables" {
  description = "Tables that are expected to be extracted."
  type        = set(string)
  nullable    = false
}
