"""Joules of an inference from what a meter read: an honest interval, or the reason for none."""
