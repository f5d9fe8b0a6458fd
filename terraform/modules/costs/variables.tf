variable "developers" {
  description = "How many developers the source knows; the next larger size that was measured counts."
  type        = number
  nullable    = false
}

variable "interval_hours" {
  description = "Hours from one run to the next."
  type        = number
  nullable    = false
}
