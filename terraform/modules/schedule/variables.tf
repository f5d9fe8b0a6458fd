variable "audience" {
  description = "The audience in the call's token."
  type        = string
  nullable    = false
}

variable "caller_email" {
  description = "The account that calls."
  type        = string
  nullable    = false
}

variable "description" {
  description = "The purpose of the call, in a sentence."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the schedule."
  type        = string
  nullable    = false
}

variable "project" {
  description = "The project, as modules/project puts it out."
  type        = object({ id = string, region = string })
  nullable    = false
}

variable "schedule" {
  description = "Times of the call, as a cron expression, in UTC."
  type        = string
  nullable    = false
}

variable "timeout_s" {
  description = "Seconds after which a call without an answer has failed: as long as the called service may take."
  type        = number
  nullable    = false
  default     = 540
}

variable "url" {
  description = "URL that is called."
  type        = string
  nullable    = false
}
