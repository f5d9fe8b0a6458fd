variable "name" {
  description = "Name of the topic; its dead letters go to <name>-dead."
  type        = string
  nullable    = false
}

variable "project" {
  description = "The project, as modules/project puts it out."
  type        = object({ agents = map(string), id = string, kms_key = optional(string), region = string })
  nullable    = false
}
