# The estimate must be in the ranges that were calculated by hand, see docs/operations.md.
run "the_estimate_is_the_paper_model" {
  command = plan
  module {
    source = "./modules/costs"
  }
  variables {
    developers     = 30
    interval_hours = [24]
  }

  assert {
    condition     = output.usd_per_month.total == output.table_usd_per_month["50/24"]
    error_message = "the next larger size that was measured counts"
  }
  assert {
    condition     = output.table_usd_per_month["50/24"] == 4 && output.table_usd_per_month["1000/24"] == 6
    error_message = "daily: about 4 and 6 dollars"
  }
  assert {
    condition     = output.table_usd_per_month["50/1"] >= 80 && output.table_usd_per_month["50/1"] <= 100
    error_message = "50 developers hourly: 80 to 100 dollars"
  }
  assert {
    condition     = output.table_usd_per_month["1000/1"] >= 110 && output.table_usd_per_month["1000/1"] <= 150
    error_message = "1,000 developers hourly: 110 to 150 dollars"
  }
  assert {
    condition     = output.table_usd_per_month["50000/1"] >= 430 && output.table_usd_per_month["50000/1"] <= 1600
    error_message = "50,000 developers hourly: 430 to 1,600 dollars"
  }
  assert {
    condition     = output.table_usd_per_month["50000/24"] >= 60 && output.table_usd_per_month["50000/24"] <= 240
    error_message = "50,000 developers daily: 60 to 240 dollars"
  }
}

run "the_runs_of_each_schedule_wake_the_warehouse" {
  command = plan
  module {
    source = "./modules/costs"
  }
  variables {
    developers     = 50
    interval_hours = [24, 24, 4]
  }

  assert {
    condition     = abs(output.usd_per_month.warehouse - (2 * 3.8 + 22.8)) < 0.1
    error_message = "two daily schedules and one of every four hours: 150 s of $3 an hour for each run"
  }
  assert {
    condition     = output.usd_per_month.images == 0.5
    error_message = "the images are one set for all"
  }
}
