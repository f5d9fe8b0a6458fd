output "table_usd_per_month" {
  description = "The whole estimate in dollars for <developers>/<hours between runs>."
  value       = { for key, parts in local._usd : key => floor(sum(values(parts)) + 0.5) if key != "chosen" }
}

output "usd_per_month" {
  description = "The estimate in dollars for the chosen schedules: the warehouse, functions and job, objects after a year, images; and the sum."
  value = merge(
    { for part, usd in local._usd["chosen"] : part => floor(usd * 100 + 0.5) / 100 },
    { total = floor(sum(values(local._usd["chosen"])) + 0.5) },
  )
}
