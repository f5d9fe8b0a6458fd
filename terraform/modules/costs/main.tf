# The cost model of docs/operations.md: the main cost is the time that the warehouse runs.
locals {
  # Measured, by company size: seconds of a build with hourly and with daily runs, credits per hour of the warehouse
  # that it needs, function-seconds per day, gigabytes of Parquet per year.
  _sizes = {
    "50"    = { hourly_build_s = 75, daily_build_s = 75, credits = 1, function_s = 400, gigabytes = 0.5 }
    "1000"  = { hourly_build_s = 150, daily_build_s = 150, credits = 1, function_s = 600, gigabytes = 10 }
    "50000" = { hourly_build_s = 450, daily_build_s = 1800, credits = 2, function_s = 6000, gigabytes = 490 }
  }
  _size = var.developers <= 50 ? "50" : var.developers <= 1000 ? "1000" : "50000"

  _days            = 30.4
  _load_and_idle_s = 15 + 60 # seconds: each run loads for 15, and the idle warehouse sleeps after 60
  _credit_usd      = 3
  _vcpu_s_usd      = 0.000024 + 2 * 0.0000025 # with two gigabytes of memory
  _free_vcpu_s     = 180000
  _writes_a_run    = 30
  _write_usd       = 0.005 / 1000
  _gigabyte_usd    = 0.02
  _registry_usd    = 0.5 # the last ten of two images: some 5 GB

  # The chosen schedules: the runs of each wake the warehouse for themselves.
  _chosen = { for index, interval in var.interval_hours : "chosen ${index}" => { size = local._size, interval = interval } }
  _table = merge([for size in keys(local._sizes) : {
    for interval in [1, 4, 24] : "${size}/${interval}" => { size = size, interval = interval }
  }]...)

  _of_schedule = { for key, case in merge(local._chosen, local._table) : key => {
    warehouse = (
      local._load_and_idle_s + local._sizes[case.size].hourly_build_s
      + (local._sizes[case.size].daily_build_s - local._sizes[case.size].hourly_build_s) * (case.interval - 1) / 23
    ) / 3600 * local._sizes[case.size].credits * local._credit_usd * 24 / case.interval * local._days
    vcpu_s = local._days * (local._sizes[case.size].function_s + local._sizes[case.size].hourly_build_s * 24 / case.interval)
    writes = local._writes_a_run * 24 / case.interval * local._days * local._write_usd
  } }

  _schedules = merge({ chosen = keys(local._chosen) }, { for key in keys(local._table) : key => [key] })
  _usd = { for case, schedules in local._schedules : case => {
    warehouse = sum([for key in schedules : local._of_schedule[key].warehouse])
    compute   = max(0, sum([for key in schedules : local._of_schedule[key].vcpu_s]) - local._free_vcpu_s) * local._vcpu_s_usd
    storage   = local._sizes[case == "chosen" ? local._size : local._table[case].size].gigabytes * local._gigabyte_usd + sum([for key in schedules : local._of_schedule[key].writes])
    images    = local._registry_usd
  } }
}
