variable "kms_key" {
  description = "Full name of the key that encrypts messages; null: Google's."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the topic; its dead letters go to <name>-dead."
  type        = string
  nullable    = false
}

variable "pubsub_agent" {
  description = "Pub/Sub's own account, as an IAM member."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region in which messages are stored."
  type        = string
  nullable    = false
}
