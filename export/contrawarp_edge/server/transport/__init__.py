"""What stands between a connection and the service: limits and checks."""
