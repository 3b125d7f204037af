"""What will disappoint is said, on the boards that it is true of, until the plan silences it."""

import re

import pytest

from edgebench.compress.lint import RULES, doubts
from edgebench.core import DeviceProfile, Format, Recipe, Step

TFLITE, ONNX = Format.TFLITE, Format.ONNX


def board(name, arch=None, features=None):
    return DeviceProfile(
        name=name,
        description="",
        url="",
        runtimes=("litert",),
        arch=arch,
        cpu_features=features,
    )


PI4 = board("pi4", "arm", ())
PI5 = board("pi5", "arm", ("dotprod", "fp16"))
PC = board("pc", "x86")
ARM = board("arm", "arm")
ANY = board("any")


def step(name, value, **options):
    return Step(name=name, value=value, options=options)


def quantize(form, **options):
    return step("quantize", form, **options)


def found(*steps, target=TFLITE, boards=(), silence=()):
    """The sentences, by the name of their rule."""
    recipe = Recipe(name="mine", steps=steps)
    said = list(doubts(recipe, target, boards=boards, silence=silence))
    named = {doubt.rule: doubt.text for doubt in said}
    assert len(named) == len(said)
    return named


def readable(value):
    if not isinstance(value, tuple):
        return str(value)[:30]
    return " > ".join(each.name if isinstance(each, DeviceProfile) else str(each) for each in value)


PRUNE = step("prune", "80 %", tune="3 epochs")
FEW = step("prune", "50 %", tune="3 epochs")
CLUSTER = step("cluster", 16)
FOLD = step("fold", "bn")
SPARSE = step("sparse", "encode")
LAST = step("step", "steps.py:train")


@pytest.mark.parametrize(
    ("steps", "target", "rule", "words"),
    [
        ((quantize("int16x8"),), TFLITE, "int16x8-slow", "reference kernels"),
        ((quantize("int16x8"),), ONNX, "int16x8-slow", "no fast kernels"),
        ((quantize("int8-dynamic"),), TFLITE, "dynamic-depthwise", "depthwise"),
        ((quantize("int8-dynamic"),), ONNX, "dynamic-matmul-only", "MatMul and Gemm only"),
        ((quantize("int4-weights"),), TFLITE, "int4-slow", "slower"),
        ((quantize("int4-weights"),), ONNX, "int4-matmul-only", "MatMul and Gemm only"),
        ((quantize("int8", scheme="s8s8"),), ONNX, "s8s8-x86", "if the device is an x86"),
        ((quantize("int8"),), ONNX, "u8s8-arm", "if the device is an ARM with dot products"),
        ((quantize("float16"),), TFLITE, "weights-unpacked", "unpacked at load"),
        ((quantize("float16"),), ONNX, "float16-slow", "if the device has such a CPU"),
        ((quantize("int8-weights"),), TFLITE, "weights-unpacked", "unpacked at load"),
        ((quantize("int8-weights"),), ONNX, "weights-unpacked", "every inference"),
        ((quantize("int8", granularity="tensor"),), TFLITE, "tensor-scale", "costs accuracy"),
        ((PRUNE,), ONNX, "zeros-onnx", "no sparse kernels"),
        ((PRUNE, quantize("int8")), TFLITE, "zeros-quantized", "once the model is int8"),
        ((PRUNE,), TFLITE, "zeros-dense", "sparse encode"),
        ((PRUNE, quantize("float16")), TFLITE, "zeros-dense", "sparse encode"),
        ((PRUNE, SPARSE), TFLITE, "sparse-x86", "if the device is an x86"),
        ((PRUNE, SPARSE), TFLITE, "sparse-shape", "3x3 convolution of stride 2"),
        ((FEW, SPARSE), TFLITE, "sparse-few-zeros", "50 % zeros are too few"),
        ((CLUSTER,), TFLITE, "clusters-gzip-only", "nothing else"),
        ((FOLD, CLUSTER, quantize("int8")), TFLITE, "clusters-per-channel", "int8 with a scale"),
        ((step("share", "identical"),), ONNX, "share-no-speed", "every layer computes"),
        ((step("tucker", 12), LAST), TFLITE, "rank-uneven", "take 8 or 16"),
        ((step("lowrank", "5"), LAST), ONNX, "rank-uneven", "take 8"),
        ((step("filters", "50 %", round=1), LAST), TFLITE, "filters-uneven", "round = 1"),
        ((step("filters", "5 %"), LAST), TFLITE, "filters-few", "5 % of the channels"),
        ((step("cp", 64), LAST), TFLITE, "cp-rank", "higher rank than tucker"),
        ((step("prune", "60 %"),), TFLITE, "untuned", "'prune 60 %' loses accuracy"),
        ((step("cluster", 8),), TFLITE, "untuned", "tune = '3 epochs'"),
        ((step("tucker", "evbmf"), quantize("int8")), TFLITE, "untuned", "no step from here on"),
        ((step("cp", 64),), ONNX, "untuned", "loses accuracy"),
        ((step("lowrank", "50 %"),), ONNX, "untuned", "loses accuracy"),
        ((step("filters", "50 %"),), TFLITE, "untuned", "loses accuracy"),
    ],
    ids=readable,
)
def test_what_will_disappoint_is_said(steps, target, rule, words):
    assert words in found(*steps, target=target)[rule]


@pytest.mark.parametrize(
    ("steps", "target", "rule"),
    [
        ((quantize("int8"),), TFLITE, "u8s8-arm"),
        ((quantize("int8", aware=True),), ONNX, "u8s8-arm"),
        ((PRUNE, quantize("float16")), TFLITE, "zeros-quantized"),
        ((PRUNE, SPARSE), TFLITE, "zeros-dense"),
        ((PRUNE, SPARSE), TFLITE, "sparse-few-zeros"),
        ((FEW, PRUNE, SPARSE), TFLITE, "sparse-few-zeros"),
        ((PRUNE, quantize("int8")), TFLITE, "zeros-dense"),
        (
            (CLUSTER, quantize("int8", aware=True, keep=["clusters"])),
            TFLITE,
            "clusters-per-channel",
        ),
        ((step("cluster", 16, scope="channel"), quantize("int8")), TFLITE, "clusters-per-channel"),
        ((CLUSTER, quantize("int8", granularity="tensor")), TFLITE, "clusters-per-channel"),
        ((CLUSTER, quantize("float16")), TFLITE, "clusters-per-channel"),
        ((CLUSTER,), TFLITE, "clusters-per-channel"),
        ((step("tucker", 16),), TFLITE, "rank-uneven"),
        ((step("lowrank", "50 %"),), TFLITE, "rank-uneven"),
        ((step("lowrank", "evbmf"),), TFLITE, "rank-uneven"),
        ((step("cluster", 12),), TFLITE, "rank-uneven"),
        ((step("filters", "50 %"),), TFLITE, "filters-uneven"),
        ((step("filters", "50 %", round=16),), TFLITE, "filters-uneven"),
        ((step("filters", "10 %"),), TFLITE, "filters-few"),
        ((step("prune", "5 %"),), TFLITE, "filters-few"),
        ((step("prune", "50 %"),), TFLITE, "untuned"),
        ((step("cluster", 16),), TFLITE, "untuned"),
        ((step("prune", "80 %", tune="3 epochs"),), TFLITE, "untuned"),
        ((step("tucker", 16), step("distil", "self", tune="5 epochs")), TFLITE, "untuned"),
        ((step("filters", "50 %"), LAST), TFLITE, "untuned"),
    ],
    ids=readable,
)
def test_what_does_not_apply_is_not_said(steps, target, rule):
    assert rule not in found(*steps, target=target)


def test_a_step_that_trains_helps_those_before_it_only():
    tuned = step("prune", "80 %", tune="3 epochs")
    assert "untuned" in found(tuned, step("tucker", 16))
    assert "untuned" not in found(step("tucker", 16), tuned)


@pytest.mark.parametrize(
    ("steps", "target", "rule", "boards", "words"),
    [
        ((quantize("int8", scheme="s8s8"),), ONNX, "s8s8-x86", (PC,), "slow on pc"),
        ((quantize("int8", scheme="s8s8"),), ONNX, "s8s8-x86", (PI5, PC, ANY), "slow on pc:"),
        ((quantize("int8", scheme="s8s8"),), ONNX, "s8s8-x86", (PI5, ANY), "if the device is an"),
        ((quantize("int8", scheme="s8s8"),), ONNX, "s8s8-x86", (PI4, PI5, ARM), None),
        ((quantize("int8"),), ONNX, "u8s8-arm", (PC, PI4), None),
        ((quantize("int8"),), ONNX, "u8s8-arm", (PC, PI4, PI5), "on pi5 try"),
        ((quantize("int8"),), ONNX, "u8s8-arm", (PC, ARM), "if the device is an ARM with"),
        ((quantize("float16"),), ONNX, "float16-slow", (PI5,), None),
        ((quantize("float16"),), ONNX, "float16-slow", (PI5, PI4, PC), "on pi4 and pc"),
        ((quantize("float16"),), ONNX, "float16-slow", (ARM,), "if the device has"),
        ((PRUNE, SPARSE), TFLITE, "sparse-x86", (PI4, PI5), None),
        ((PRUNE, SPARSE), TFLITE, "sparse-x86", (PC,), "nothing faster on pc"),
        ((PRUNE, SPARSE), TFLITE, "sparse-shape", (PC,), None),
        ((PRUNE, SPARSE), TFLITE, "sparse-shape", (PC, PI4), "3x3 convolution"),
    ],
    ids=readable,
)
def test_a_board_decides_what_is_true_of_it(steps, target, rule, boards, words):
    said = found(*steps, target=target, boards=boards).get(rule)
    assert (said is None) if words is None else words in str(said)


def test_a_kind_of_board_is_named_once():
    said = found(quantize("int8", scheme="s8s8"), target=ONNX, boards=(PC, PC))
    assert "on pc:" in said["s8s8-x86"]


def test_what_is_true_of_two_steps_is_said_once():
    assert "zeros-onnx" in found(FEW, PRUNE, target=ONNX)


@pytest.mark.parametrize(
    "steps",
    [(), (quantize("int8"),), (step("fold", "constants"),), (step("student", "zoo:lenet"),)],
    ids=readable,
)
def test_what_is_known_to_work_raises_no_doubt(steps):
    assert found(*steps) == {}


def test_a_rule_that_is_silenced_is_silent_and_the_others_are_not():
    said = found(CLUSTER, quantize("int8"), silence=("clusters-gzip-only",))
    assert set(said) == {"clusters-per-channel"}


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_every_rule_has_a_name_to_silence_it_by_and_a_source(rule):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+|untuned", rule.name)
    assert re.search(r"https://|LiteRT|onnxruntime|tensorly|\d", rule.source)


def test_every_rule_is_shown_to_speak():
    cases = test_what_will_disappoint_is_said.pytestmark[0].args[1]
    assert {case[2] for case in cases} == set(RULES)
