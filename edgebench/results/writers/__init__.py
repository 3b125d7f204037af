"""One file a format that runs are exported to."""
