"""What every service's HTTP side shares: the application, problems, authentication, cursors, and the one front."""
