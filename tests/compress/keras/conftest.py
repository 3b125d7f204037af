"""What is run in a process of its own, with TensorFlow, is no module of the tests' process."""

collect_ignore = ["nets.py", "random_nets.py", "channel_checks.py", "filter_checks.py"]
