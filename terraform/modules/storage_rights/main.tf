# The rights of one account on buckets, limited by the names of objects. A text in between is there when something is found
# before it: https://cloud.google.com/iam/docs/conditions-attribute-reference#extract.
resource "google_storage_bucket_iam_member" "this" {
  for_each = var.rights
  bucket   = each.value.bucket
  role     = each.value.role
  member   = var.member

  dynamic "condition" {
    for_each = each.value.prefix[*]
    content {
      title = each.key
      expression = join(" && ", compact([
        "resource.name.startsWith(\"projects/_/buckets/${each.value.bucket}/objects/${condition.value}\")",
        each.value.middle == null ? "" : "resource.name.extract(\"projects/_/buckets/${each.value.bucket}/objects/${condition.value}{any}${each.value.middle}\") != \"\"",
        each.value.suffix == null ? "" : "resource.name.endsWith(\"${each.value.suffix}\")",
      ]))
    }
  }
}
