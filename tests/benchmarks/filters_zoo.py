"""Take channels out of the architectures of keras.applications: a markdown table on stdout.

    TF_ENABLE_ONEDNN_OPTS=0 .venv/bin/python tests/benchmarks/filters_zoo.py [MODEL ...]

The weights are drawn, for what is asked is whether the dependency graph is right. Without a channel
less the outputs must be the same to the last bit. With 30 % less they must be those of the whole
model where the weights that read the lost channels are zero, up to rounding.
"""

import sys
import time
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from edgebench.compress.filters import kept_by_layer
from edgebench.compress.keras.channels import plan_of
from edgebench.compress.keras.filters import without
from edgebench.compress.keras.importance import rank_by_weights
from edgebench.compress.keras.macs import macs_of
from tests.compress.keras.channel_checks import apart, deafened, outputs

MODELS = (
    *("MobileNetV2", "ResNet50", "DenseNet121", "EfficientNetB0", "MobileNetV3Small"),
    *("MobileNet", "Xception", "InceptionV3", "NASNetMobile", "EfficientNetV2B0", "ConvNeXtTiny"),
)
SIDE, CLASSES, SHARE, MULTIPLE = 96, 10, 0.3, 8
HEADER = (
    "| model | groups | parameters | kept | MACs kept | off at 0 % | off at 30 % | time |\n"
    "|---|---|---|---|---|---|---|---|"
)


def row_of(name):
    keras.utils.set_random_seed(0)
    build = getattr(keras.applications, name)
    model = build(
        weights=None,
        input_shape=(SIDE, SIDE, 3),
        classes=CLASSES,
        classifier_activation=None,
    )
    image = np.random.default_rng(0).random((8, SIDE, SIDE, 3), np.float32) * 255
    normalize(model, image)
    began = time.monotonic()
    plan = plan_of(model)
    multiples = [group.multiple(MULTIPLE) for group in plan.groups]
    kept = kept_by_layer(rank_by_weights(plan.groups, plan).scores, multiples, SHARE)
    gone = np.concatenate(
        [group.units[~mask] for group, mask in zip(plan.groups, kept, strict=True)]
    )
    smaller = without(model, plan, gone)
    seconds = time.monotonic() - began
    whole = without(model, plan, np.zeros(0, np.int64))
    off = apart(outputs(whole, image), outputs(model, image))
    off_less = apart(outputs(smaller, image), outputs(deafened(model, plan, gone), image))
    parameters, macs, macs_left = model.count_params(), macs_of(model), macs_of(smaller)
    assert macs
    assert macs_left
    cells = (
        *(name, len(plan.groups), f"{parameters:,}"),
        *(f"{smaller.count_params() / parameters:.0%}", f"{macs_left / macs:.0%}"),
        *(f"{off:g}", f"{off_less:.0e}", f"{seconds:.0f} s"),
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def normalize(model, image):
    """Give batch normalizations the statistics of these images: else what is drawn fades away."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(image, training=True)


def main():
    print(HEADER)
    for name in sys.argv[1:] or MODELS:
        print(row_of(name), flush=True)


if __name__ == "__main__":
    main()
