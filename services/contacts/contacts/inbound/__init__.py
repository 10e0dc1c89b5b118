"""What handsets write to us, as far as it says STOP or START."""
