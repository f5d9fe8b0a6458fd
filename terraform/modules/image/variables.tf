variable "after" {
  description = "What has to be there before it is built: the rights of the account that builds."
  type        = list(string)
  nullable    = false
}

variable "bucket" {
  description = "Name of the bucket that the files are handed over in."
  type        = string
  nullable    = false
}

variable "build_account" {
  description = "Full name of the account that builds."
  type        = string
  nullable    = false
}

variable "dockerfile" {
  description = "Path of the Dockerfile from the repository's root."
  type        = string
  nullable    = false
}

variable "files" {
  description = "The files it is built from, by their paths from the repository's root."
  type        = set(string)
  nullable    = false
}

variable "name" {
  description = "Name of the image."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "The project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Where it is built and kept."
  type        = string
  nullable    = false
}

variable "repository" {
  description = "Name of the Artifact Registry repository."
  type        = string
  nullable    = false
}

variable "root" {
  description = "The repository's root."
  type        = string
  nullable    = false
}
