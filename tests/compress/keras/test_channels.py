import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.converter

ROOT = Path(__file__).parents[3]
SEEDS = 40
# oneDNN corrupts the heap on some of these channel counts.
ENVIRONMENT = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}

# Each model by name: which layers make channels that are free to go, and what holds the others.
CODE = """
import json
import keras
from edgebench.compress.keras.channels import name_of, plan_of
from edgebench.compress.keras.surgery import flat

L = keras.layers
keras.utils.set_random_seed(0)


class Mine(L.Dense):
    pass


def image(width=4):
    return keras.Input((8, 8, width), name="image")


def conv(name, width=8, size=1, **settings):
    return L.Conv2D(width, size, padding="same", name=name, **settings)


def through(*layers, width=4):
    x = begin = image(width)
    for layer in layers:
        x = layer(x)
    return keras.Model(begin, conv("end", 3)(x))


def residual():
    begin = image()
    x = conv("stem")(begin)
    x = L.Add()([x, conv("block")(x)])
    return keras.Model(begin, conv("end", 3)(L.Concatenate()([x, conv("side")(x)])))


def joined():
    begin = image()
    a, b = conv("a")(begin), conv("b")(begin)
    x = L.Add()([L.Concatenate()([a, b]), conv("both", 16)(begin)])
    return keras.Model(begin, conv("end", 3)(x))


def flattened():
    begin = image()
    x = L.Flatten()(conv("map", size=3)(begin))
    x = L.Add()([x, L.Dense(8 * 8 * 8, name="row")(L.GlobalAveragePooling2D()(begin))])
    return keras.Model(begin, L.Dense(3, name="end")(x))


def tied_to_the_input():
    begin = image(8)
    return keras.Model(begin, conv("end", 3)(L.Add()([begin, conv("block")(begin)])))


def two_ends():
    begin = image()
    x = conv("stem")(begin)
    return keras.Model(begin, [L.ReLU(name="rectified")(x), conv("end", 3)(x)])


def twins():
    begin = image(8)
    inside = keras.Input((8, 8, 8))
    twin = keras.Model(inside, conv("inner")(inside))
    x = L.Concatenate()([twin(begin), twin(begin * 2.0)])
    return keras.Model(begin, conv("end", 3)(conv("last")(x)))


def namesakes():
    begin = x = image(8)
    for _ in "ab":
        inside = keras.Input((8, 8, 8))
        x = keras.Model(inside, conv("inner")(inside))(x)
    return keras.Model(begin, conv("end", 3)(x))


def frozen_base():
    base = through(conv("stem"), L.BatchNormalization(name="norm"))
    base.trainable = False
    begin = image()
    return keras.Model(begin, L.Dense(3, name="head")(L.Dense(8, name="hidden")(base(begin))))


def recurrent():
    begin = keras.Input((6,), dtype="int32", name="words")
    x = L.Conv1D(8, 1, name="before")(L.Embedding(9, 8, name="words_in")(begin))
    x = L.Dense(8, name="after")(L.LSTM(8, name="memory")(x))
    return keras.Model(begin, L.Dense(3, name="end")(x))


def quantized():
    model = through(conv("stem"), L.Dense(8, name="eight"))
    model.get_layer("eight").quantize("int8")
    return model


def times_a_constant():
    keras.utils.clear_session()
    begin = image()
    x = conv("stem")(begin) * keras.ops.ones((8,))
    return keras.Model(begin, conv("end", 3)(x))


def doubled():
    begin = image()
    x = conv("stem")(begin) * 2.0
    return keras.Model(begin, conv("end", 3)(x))


CASES = {
    "residual": residual(),
    "joined": joined(),
    "flattened": flattened(),
    "grouped": through(conv("stem"), conv("groups", 16, groups=4)),
    "one a group": through(conv("stem"), conv("each", 16, groups=8)),
    "multiplied": through(conv("stem"), L.DepthwiseConv2D(3, depth_multiplier=2)),
    "tied to the input": tied_to_the_input(),
    "two ends": two_ends(),
    "shared": twins(),
    "namesakes": namesakes(),
    "frozen base": frozen_base(),
    "recurrent": recurrent(),
    "own class": through(conv("stem"), Mine(8, name="mine")),
    "softmax": through(conv("stem", activation="softmax")),
    "layer norm": through(conv("stem"), L.LayerNormalization(name="norm")),
    "other axis": through(conv("stem"), L.BatchNormalization(axis=1, name="norm")),
    "permuted": through(conv("stem"), L.Permute((1, 3, 2), name="turn")),
    "channels first": through(
        conv("stem"), L.MaxPooling2D(data_format="channels_first", name="pool")
    ),
    "quantized": quantized(),
    "times a constant": times_a_constant(),
    "doubled": doubled(),
    "noise": through(conv("stem"), L.Dropout(0.5, noise_shape=(None, 1, 1, 8), name="drop")),
    "dropped blocks": through(conv("stem"), L.Dropout(0.5, noise_shape=(None, 1, 1, 1))),
}
told = {}
for name, model in CASES.items():
    plan = plan_of(flat(model))
    told[name] = {
        "free": [
            [len(g.units), g.multiple(8), *(name_of(m.layer) for m in g.members)]
            for g in plan.groups
        ],
        "frozen": dict(plan.frozen),
    }
print(json.dumps(told))
"""


def run(*argv):
    done = subprocess.run(
        [sys.executable, *argv],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nets")
    script = "tests.compress.keras.channel_checks"
    lines = run("-m", script, "0", str(SEEDS), str(folder)).splitlines()
    return {told["seed"]: told for told in map(json.loads, lines)}


@pytest.fixture(scope="module")
def cases():
    return json.loads(run("-c", CODE).splitlines()[-1])


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_net_without_a_channel_less_gives_the_same(nets, seed):
    assert nets[seed]["untouched"] == 0
    assert nets[seed]["original"] == 0


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_net_with_channels_less_is_the_whole_net_deaf_to_them(nets, seed):
    net = nets[seed]
    assert net["gone"] > 0
    assert net["moved"] > 1e-3
    assert net["smaller"] < 1e-4


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_net_at_half_its_width_is_smaller_and_can_be_reloaded(nets, seed):
    whole, fewer, half = nets[seed]["parameters"]
    assert fewer < whole
    assert half < whole
    assert nets[seed]["reloaded"] == 0


def test_no_frozen_layer_of_a_random_net_is_cut(nets):
    assert [net["cut_but_held"] for net in nets.values()] == [[]] * SEEDS


def test_layers_are_named_as_their_kernels_are(nets):
    assert [net["misnamed"] for net in nets.values()] == [[]] * SEEDS


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("residual", [[8, 8, "stem", "block"], [8, 8, "side"]]),
        # Of "both" the first half goes with "a", the second with "b": its width is their sum.
        ("joined", [[8, 8, "a", "both"], [8, 8, "b", "both"]]),
        # With a channel of the map its 64 pixels go, and as many units of the row.
        ("flattened", [[8, 8, "map", "row"]]),
        # Every group must lose as many: units of 4 channels, of which 2 make a multiple of 8.
        ("grouped", [[2, 2, "stem"], [4, 2, "groups"]]),
        # A convolution with a group for each channel only follows.
        ("one a group", [[8, 8, "stem"]]),
        ("multiplied", [[8, 8, "stem"]]),
        ("shared", [[8, 8, "last"]]),
        ("namesakes", [[8, 8, "inner"], [8, 8, "inner_1"]]),
        ("frozen base", [[8, 8, "hidden"]]),
        ("recurrent", [[8, 8, "after"]]),
        ("doubled", [[8, 8, "stem"]]),
        ("dropped blocks", [[8, 8, "stem"]]),
    ],
)
def test_channels_are_free_to_go_with_those_they_are_tied_to(cases, name, free):
    assert cases[name]["free"] == free


@pytest.mark.parametrize(
    ("name", "layer", "why"),
    [
        ("residual", "end", "'end' makes an output of the model"),
        ("two ends", "stem", "'rectified' makes an output of the model"),
        ("tied to the input", "block", "'image' is an input of the model"),
        ("shared", "inner", "'inner' is called more than once"),
        ("frozen base", "stem", "'stem' is not trainable"),
        ("recurrent", "before", "'memory' (LSTM) is not followed"),
        ("recurrent", "memory", "'memory' (LSTM) is not followed"),
        ("recurrent", "words_in", "'words_in' (Embedding) is not followed"),
        ("own class", "stem", "'mine' (Mine) is not followed"),
        ("softmax", "stem", "'stem' has an activation over all of its channels"),
        ("layer norm", "stem", "'norm' (LayerNormalization) is not followed"),
        ("other axis", "stem", "'norm' normalizes another axis than the last"),
        ("permuted", "stem", "'turn' moves channels to another axis"),
        ("channels first", "stem", "'pool' has its channels first"),
        ("quantized", "stem", "'eight' holds weights that are not known"),
        ("times a constant", "stem", "'multiply' holds a constant for each channel"),
        ("noise", "stem", "'drop' has noise for each channel"),
    ],
)
def test_what_holds_a_layers_channels_is_told(cases, name, layer, why):
    assert cases[name]["frozen"][layer] == why
    assert layer not in {member for group in cases[name]["free"] for member in group[2:]}
