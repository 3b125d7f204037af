"""Train the zoo's architectures on zoo:fashion-mnist: a markdown table on stdout.

    .venv/bin/python tests/benchmarks/zoo.py [NAME ...]

Each is trained as `zoo:NAME` in a plan is, with seed 0, and made a TFLite file that is run on the
2,000 test images. CPU seconds are those of training and conversion, the import of TensorFlow in
both (about 8 s) included.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from edgebench.data import load_dataset
from edgebench.zoo import ZOO
from tests.zoo.trained import accuracy_of

ROOT = Path(__file__).parents[2]
COUNT = (
    "import sys; from edgebench.zoo import ZOO\n"
    "print(ZOO[sys.argv[1]].build((28, 28, 1), 10, width=float(sys.argv[2])).count_params())"
)


def parameters_of(name, width):
    argv = [sys.executable, "-c", COUNT, name, str(width)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


def seconds_so_far():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row_of(name, dataset):
    student = ZOO[name]
    sizes = " | ".join(f"{parameters_of(name, width):,}" for width in (1.0, 0.5))
    began = seconds_so_far()
    with tempfile.TemporaryDirectory() as folder:
        share = accuracy_of(f"zoo:{name}", dataset, Path(folder))
    recipe = f"{student.epochs} | {student.batch} | {student.learning_rate:g}"
    return f"| `{name}` | {sizes} | {recipe} | {seconds_so_far() - began:.0f} | {share:.1%} |"


def main(names):
    print("| network | parameters | at width 0.5 | epochs | batch | rate | CPU s | test accuracy |")
    print("|---|---|---|---|---|---|---|---|")
    dataset = load_dataset("zoo:fashion-mnist", base=ROOT)
    for name in names or ZOO:
        print(row_of(name, dataset), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
