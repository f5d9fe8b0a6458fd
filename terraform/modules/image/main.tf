# An image, built by Cloud Build from files of this repository and tagged with the hash of their content.
locals {
  hash      = substr(sha256(join("\n", [for file in sort(var.files) : "${file} ${filesha256("${var.root}/${file}")}"])), 0, 16)
  reference = "${var.region}-docker.pkg.dev/${var.project_id}/${var.repository}/${var.name}:${local.hash}"
}

data "archive_file" "this" {
  type        = "zip"
  output_path = "${path.root}/.build/${var.name}-image.zip"

  dynamic "source" {
    for_each = var.files
    content {
      filename = source.value
      content  = file("${var.root}/${source.value}")
    }
  }
}

resource "google_storage_bucket_object" "this" {
  bucket = var.bucket
  name   = "${var.name}-image-${local.hash}.zip"
  source = data.archive_file.this.output_path
}

# No resource builds an image. The tag is a hash of the content, so an image that exists already is the right one.
resource "terraform_data" "this" {
  triggers_replace = local.reference
  input            = local.reference
  depends_on       = [var.after]

  provisioner "local-exec" {
    command = "sh \"${path.module}/build.sh\""
    environment = {
      ACCOUNT    = var.build_account
      DOCKERFILE = var.dockerfile
      IMAGE      = local.reference
      PROJECT    = var.project_id
      REGION     = var.region
      SOURCE     = "gs://${google_storage_bucket_object.this.bucket}/${google_storage_bucket_object.this.name}"
    }
  }
}
