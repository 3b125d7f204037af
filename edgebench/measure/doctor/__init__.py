"""What would spoil a measurement on a device, and what mends it; nothing is changed."""
