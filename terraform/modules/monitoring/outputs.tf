output "channels" {
  description = "Full names of all channels that are notified."
  value       = local.channels
}
