variable "audience" {
  description = "The audience that the call's token names."
  type        = string
  nullable    = false
}

variable "caller_email" {
  description = "The account that calls."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the call does, in a sentence."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the schedule."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Where the schedule is kept."
  type        = string
  nullable    = false
}

variable "schedule" {
  description = "When it is called, as cron says it, in UTC."
  type        = string
  nullable    = false
}

variable "url" {
  description = "What is called."
  type        = string
  nullable    = false
}
