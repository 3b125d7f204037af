import pytest

from edgebench.compress.recipe import check, parse_step
from edgebench.compress.route import stages
from edgebench.core import Format, Recipe, Step
from edgebench.errors import ConfigError


def recipe(*steps):
    return Recipe(name="mine", steps=tuple(parse_step(step) for step in steps))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("quantize int8", Step(name="quantize", value="int8")),
        ("  quantize   int8-dynamic ", Step(name="quantize", value="int8-dynamic")),
        ({"quantize": "int8"}, Step(name="quantize", value="int8")),
        (
            {"io": "int", "quantize": "int8", "skip": ["dense"], "seed": 3},
            Step(
                name="quantize",
                value="int8",
                options={"io": "int", "skip": ["dense"], "seed": 3},
            ),
        ),
    ],
)
def test_a_step_is_a_sentence_or_a_table(raw, expected):
    assert parse_step(raw) == expected


@pytest.mark.parametrize(
    ("raw", "words", "hint"),
    [
        ("quantise int8", "no step 'quantise'", "Did you mean 'quantize'"),
        ("prun 80 %", "no step 'prun'", "Did you mean 'prune'"),
        ("", "no step ''", "Steps: cluster, cp, distil"),
        ({}, "no step ''", "Steps: cluster, cp, distil"),
        ("quantize", "no 'quantize '", "int8-dynamic"),
        ("quantize int7", "no 'quantize int7'", "int8-dynamic"),
        ({"quantize": 8}, "no 'quantize 8'", "int8-dynamic"),
        ({"quantize": "float16", "aware": True}, "cannot be trained for 'float16'", "int8"),
        ({"quantize": "int8", "aware": "yes"}, "no aware = 'yes'", "README"),
        ({"quantize": "int8", "aware": True, "calibrate": "minmax"}, "no option calibrate", "io"),
        ({"quantize": "int8", "aware": True, "io": "uint"}, "no io = 'uint'", "README"),
        ({"quantize": "int8", "aware": True, "tune": "some"}, "no tune = 'some'", "README"),
        ({"quantize": "int8", "tune": "1 epochs"}, "does not train", "aware = true"),
        ({"quantize": "int8", "aware": False, "batch": 8}, "does not train", "aware = true"),
        ({"quantize": "int8", "keep": ["ties"]}, "cannot keep ['ties']", "zeros, clusters"),
        ({"quantize": "int8", "seed": "x"}, "no option seed = 'x'", "seed"),
        ({"quantize": "int8", "io": "uint"}, "no io = 'uint'", "float, int"),
        ({"quantize": "int8", "calibrate": 3}, "no calibrate = 3", "entropy"),
        ({"quantize": "float16", "io": "int"}, "changes nothing about", "int16x8, int8"),
        ({"quantize": "int8-weights", "calibrate": "minmax"}, "changes nothing", "int8"),
        ({"quantize": "int8", "skip": []}, "list of regular expressions", "dense"),
        ({"quantize": "int8", "only": [3]}, "list of regular expressions", "dense"),
        ({"quantize": "int8", "only": "(("}, "no regular expression", "re.html"),
    ],
)
def test_a_step_that_is_none_is_refused_with_what_there_is(raw, words, hint):
    with pytest.raises(ConfigError) as caught:
        parse_step(raw)
    assert words in str(caught.value)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("source", "target", "steps", "expected"),
    [
        (Format.KERAS, Format.TFLITE, [], ["keras to tflite"]),
        (Format.KERAS, Format.ONNX, [], ["keras to onnx"]),
        (Format.SAVED_MODEL, Format.TFLITE, [], ["saved-model to tflite"]),
        (Format.SAVED_MODEL, Format.ONNX, [], ["saved-model to onnx"]),
        (Format.TFLITE, Format.TFLITE, [], []),
        (Format.ONNX, Format.ONNX, ["quantize int8"], ["quantize onnx"]),
        (Format.TFLITE, Format.TFLITE, ["quantize int8"], ["quantize tflite"]),
        (Format.KERAS, Format.TFLITE, ["quantize int8"], ["keras to tflite", "quantize tflite"]),
        (Format.KERAS, Format.ONNX, ["quantize int8"], ["keras to onnx", "quantize onnx"]),
        (
            Format.KERAS,
            Format.ONNX,
            [{"quantize": "int8", "aware": True}],
            ["quantize keras", "keras to onnx"],
        ),
    ],
)
def test_a_recipe_is_walked_by_these_ways(source, target, steps, expected):
    found = stages(source, recipe(*steps), target)
    assert [stage.way.name for stage in found] == expected


@pytest.mark.parametrize(
    ("source", "target", "steps", "words"),
    [
        (Format.ONNX, Format.TFLITE, [], "onnx2tf"),
        (Format.ONNX, Format.TFLITE, ["quantize float16"], "onnx2tf"),
        (Format.TFLITE, Format.ONNX, [], "begin with the model it was made from"),
        (Format.TFLITE, Format.KERAS, [], "there is no converter"),
        (Format.KERAS, Format.KERAS, ["quantize float16"], "cannot be done to a model in keras"),
        *(
            (source, target, [{"quantize": "int8", "aware": True}], "only a Keras model")
            for source, target in (
                (Format.TFLITE, Format.TFLITE),
                (Format.ONNX, Format.ONNX),
                (Format.SAVED_MODEL, Format.TFLITE),
            )
        ),
        (
            Format.KERAS,
            Format.TFLITE,
            [{"quantize": "int8", "scheme": "s8s8"}],
            "'scheme' is a choice that onnxruntime has",
        ),
        (
            Format.TFLITE,
            Format.TFLITE,
            [{"quantize": "int8", "calibrate": "entropy"}],
            "minmax only",
        ),
        (
            Format.TFLITE,
            Format.TFLITE,
            [{"quantize": "int16x8", "granularity": "tensor"}],
            "per channel only",
        ),
        (
            Format.ONNX,
            Format.ONNX,
            [{"quantize": "int8", "io": "int"}],
            "no place for the scale",
        ),
        (
            Format.KERAS,
            Format.ONNX,
            [{"quantize": "int8", "aware": True, "io": "int"}],
            "cannot be written as onnx: there is no place for the scale",
        ),
        (
            Format.KERAS,
            Format.TFLITE,
            [{"quantize": "int8", "aware": True, "scheme": "s8s8"}],
            "cannot be written as tflite: 'scheme' is a choice",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(source, target, steps, words):
    with pytest.raises(ConfigError, match=words):
        check(source, recipe(*steps), target, has_data=True)


@pytest.mark.parametrize("form", ["int8", "int16x8"])
def test_a_calibration_without_data_is_refused(form):
    with pytest.raises(ConfigError, match="needs data"):
        check(Format.ONNX, recipe(f"quantize {form}"), Format.ONNX, has_data=False)


@pytest.mark.parametrize("form", ["float16", "int8-dynamic", "int8-weights", "int4-weights"])
def test_forms_that_calibrate_nothing_need_no_data(form):
    check(Format.ONNX, recipe(f"quantize {form}"), Format.ONNX, has_data=False)
