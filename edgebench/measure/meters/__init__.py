"""Where power is read: the board's own sensors, and meters that hang on the host."""
