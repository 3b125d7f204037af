import pytest

from edgebench.compress.lint import RULES, doubts
from edgebench.compress.quantize import FORMS
from edgebench.compress.recipe import parse_step
from edgebench.core import Format, Recipe


def said(step, target):
    return " ".join(doubts(Recipe(name="mine", steps=(parse_step(step),)), target))


@pytest.mark.parametrize(
    ("step", "target", "words"),
    [
        ("quantize int16x8", Format.TFLITE, "reference kernels"),
        ("quantize int16x8", Format.ONNX, "no fast kernels"),
        ("quantize int8-dynamic", Format.TFLITE, "depthwise"),
        ("quantize int8-dynamic", Format.ONNX, "MatMul and Gemm only"),
        ("quantize int4-weights", Format.TFLITE, "slower"),
        ("quantize int4-weights", Format.ONNX, "MatMul and Gemm only"),
        ({"quantize": "int8", "scheme": "s8s8"}, Format.ONNX, "slow on x86"),
        ("quantize int8", Format.ONNX, "made for x86"),
        ("quantize float16", Format.TFLITE, "unpacked"),
        ("quantize float16", Format.ONNX, "slower"),
        ("quantize int8-weights", Format.TFLITE, "unpacked"),
        ("quantize int8-weights", Format.ONNX, "every inference"),
        ({"quantize": "int8", "granularity": "tensor"}, Format.TFLITE, "costs accuracy"),
    ],
)
def test_what_will_disappoint_is_said(step, target, words):
    assert words in said(step, target)


def test_static_int8_for_tflite_raises_no_doubt():
    assert said("quantize int8", Format.TFLITE) == ""


def test_the_float_reference_raises_no_doubt():
    assert list(doubts(Recipe(name="float"), Format.TFLITE)) == []


def test_every_rule_speaks_of_some_form():
    steps = [parse_step(f"quantize {form}") for form in FORMS]
    steps.append(parse_step({"quantize": "int8", "granularity": "tensor"}))
    formats = (Format.TFLITE, Format.ONNX)
    silent = [r for r in RULES if not any(list(r(s, f)) for s in steps for f in formats)]
    assert silent == []
