variable "after" {
  description = "Resources that must exist before the build: the rights of the build account."
  type        = list(string)
  nullable    = false
}

variable "bucket" {
  description = "Name of the bucket that the files are uploaded to."
  type        = string
  nullable    = false
}

variable "build_account" {
  description = "Full name of the build account."
  type        = string
  nullable    = false
}

variable "dockerfile" {
  description = "Path of the Dockerfile from the repository's root."
  type        = string
  nullable    = false
}

variable "files" {
  description = "The files that it is built from, by their paths from the repository's root."
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
  description = "Region in which it is built and stored."
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
