"""The build job: its lease, dbt, and the refresh of the usage marts."""
