variable "base_image" {
  description = "The image that both are based on."
  type        = string
  nullable    = false
}

variable "database" {
  description = "Name of the database on Snowflake for which dbt's project is parsed in the image."
  type        = string
  nullable    = false
}

variable "files" {
  description = "The files that they are built from, by their paths from the repository's root."
  type        = set(string)
  nullable    = false
}

variable "images" {
  description = "Names of the images in the registry, by what they are for."
  type        = map(string)
  nullable    = false
}

variable "prefix" {
  description = "Begin of the names of bucket, registry and account."
  type        = string
  nullable    = false
  default     = ""
}

variable "project" {
  description = "The project, as modules/project puts it out."
  type        = object({ id = string, kms_key = optional(string), region = string })
  nullable    = false
}

variable "root" {
  description = "The repository's root, relative to the folder where Terraform runs."
  type        = string
  nullable    = false
}
