# The warehouse and its budget: it sleeps after a minute, and for the rest of the month when the credits are used up.
resource "snowflake_resource_monitor" "this" {
  name                      = var.name
  credit_quota              = var.credits_per_month
  notify_triggers           = [75]
  suspend_trigger           = 100 # running statements may end
  suspend_immediate_trigger = 110
}

resource "snowflake_warehouse" "this" {
  name                                = var.name
  warehouse_size                      = "XSMALL"
  auto_resume                         = "true"
  auto_suspend                        = 60
  initially_suspended                 = true
  resource_monitor                    = snowflake_resource_monitor.this.name
  statement_queued_timeout_in_seconds = 300
  statement_timeout_in_seconds        = 3600 # the time limit of the build job
}
