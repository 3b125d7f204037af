"""A job becomes a measurement: how often, in what order, and what the samples say."""
