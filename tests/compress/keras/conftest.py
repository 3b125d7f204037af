"""What is run in a process of its own, with TensorFlow, is no module of the tests' process."""

collect_ignore = ["nets.py", "random_nets.py"]
collect_ignore_glob = ["*_checks.py"]
