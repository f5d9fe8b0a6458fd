variable "api" {
  description = "Name of the function that people call."
  type        = string
  nullable    = false
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
