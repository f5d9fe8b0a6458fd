variable "developers" {
  description = "Number of developers in the source; the next larger measured size is used."
  type        = number
  nullable    = false
}

variable "interval_hours" {
  description = "Hours from one run to the next."
  type        = number
  nullable    = false
}
