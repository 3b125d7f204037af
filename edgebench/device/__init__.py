"""Reach a device, know it, put on it what a measurement needs, and run that there."""
