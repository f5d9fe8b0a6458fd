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
  description = "Who is told when an alert opens."
  type        = set(string)
  nullable    = false
}

variable "interval_hours" {
  description = "Hours from one run to the next; without news for an hour longer, an alert opens."
  type        = number
  nullable    = false
}

variable "job" {
  description = "Name of the job that builds."
  type        = string
  nullable    = false
}

variable "subscriptions" {
  description = "Names of the subscriptions that push to functions."
  type        = list(string)
  nullable    = false
}

variable "tables" {
  description = "The tables that are to be heard of."
  type        = set(string)
  nullable    = false
}
