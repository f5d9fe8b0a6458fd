variable "developers" {
  description = "Number of developers in the source; the next larger measured size is used."
  type        = number
  nullable    = false
}

variable "interval_hours" {
  description = "Hours from one run to the next, of each schedule that starts runs."
  type        = list(number)
  nullable    = false
}
