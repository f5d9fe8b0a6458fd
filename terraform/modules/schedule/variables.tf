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

variable "interval_hours" {
  description = "Hours from one call to the next; 24: at three in the morning, UTC."
  type        = number
  nullable    = false
}

variable "region" {
  description = "Where the schedule is kept."
  type        = string
  nullable    = false
}

variable "url" {
  description = "What is called."
  type        = string
  nullable    = false
}
