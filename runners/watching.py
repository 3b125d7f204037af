"""The watcher beside the runner: from before the model is opened to after the last sample."""

import json
import os
import subprocess

import interpreter

END_TIMEOUT_S = 15.0


class Watching:
    """A process of `watch.py`; it ends with its standard input, so also when this process does."""

    def __init__(self, folder, spec):
        path = os.path.join(folder, "watch.json")
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(spec, stream)
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "watch.py")
        argv = [*interpreter.argv(), "-s", program, path, os.path.join(folder, spec["output"])]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE)

    def end(self):
        """Let it read everything once more and write it down; whether it did."""
        self.process.stdin.close()
        try:
            return self.process.wait(timeout=END_TIMEOUT_S) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False


def start(folder, spec):
    """A watcher, or None where nothing is to be watched."""
    return Watching(folder, spec) if spec else None
