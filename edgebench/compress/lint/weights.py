"""What pruned, clustered and shared weights bring: bytes, and seldom time."""

from collections.abc import Iterator
from typing import Final

from edgebench.compress.lint.rule import Place, Rule, is_other, is_x86, share_of
from edgebench.core import Format, Step

XNNPACK: Final = (
    "https://github.com/google-ai-edge/LiteRT/blob/main/tflite/delegates/xnnpack/README.md"
    "#sparse-inference"
)
CLUSTERING: Final = "https://www.tensorflow.org/model_optimization/guide/clustering"
SPARSE_AT_LEAST: Final = 2 / 3
# They have one scale a channel where nothing else is said.
CHANNEL_FORMS: Final = frozenset(
    {"int8", "int8-dynamic", "int8-weights", "int16x8", "int4-weights"}
)


def _zeros_onnx(place: Place) -> Iterator[str]:
    if place.step.name == "prune" and place.target is Format.ONNX:
        yield "zeros bring no speed: onnxruntime has no sparse kernels; only the gzip is smaller"


def _zeros_quantized(place: Place) -> Iterator[str]:
    form = place.form_after()
    if place.step.name == "prune" and place.target is Format.TFLITE and _is_integer(form):
        assert form is not None
        yield (
            f"zeros bring no speed once the model is {form.value}: XNNPACK's sparse kernels are "
            f"for float; only the gzip is smaller"
        )


def _zeros_dense(place: Place) -> Iterator[str]:
    is_encoded = any(step.name == "sparse" for step in place.after)
    if place.step.name != "prune" or place.target is not Format.TFLITE or is_encoded:
        return
    if not _is_integer(place.form_after()):
        yield (
            "zeros bring no speed as they are, only a smaller gzip: LiteRT skips them in float "
            "weights that `sparse encode` has encoded, and then on ARM"
        )


def _sparse_x86(place: Place) -> Iterator[str]:
    where = place.where(is_x86, unknown="if the device is an x86")
    if place.step.name == "sparse" and where:
        yield (
            f"the sparse encoding makes the file smaller and nothing faster {where}: XNNPACK takes "
            f"its dense kernels wherever an x86 has AVX"
        )


def _sparse_shape(place: Place) -> Iterator[str]:
    if place.step.name == "sparse" and place.where(is_other, unknown="perhaps"):
        yield (
            "LiteRT takes its sparse kernels only for a part of the model that begins with a 3x3 "
            "convolution of stride 2 over 3 channels, padded by 1 on each side (ZeroPadding2D, "
            "then 'valid'), goes on in 1x1 and depthwise convolutions, and ends in a mean over "
            "height and width; tflite-runtime 2.14 never does"
        )


def _sparse_few(place: Place) -> Iterator[str]:
    shares = [share_of(step) for step in place.before if step.name == "prune"]
    share = shares[-1] if shares else None
    if place.step.name == "sparse" and share is not None and share < SPARSE_AT_LEAST:
        yield (
            f"{100 * share:g} % zeros are too few for LiteRT's sparse kernels: two thirds of the "
            f"weights of all 1x1 convolutions must be zero"
        )


def _clusters(place: Place) -> Iterator[str]:
    if place.step.name == "cluster":
        yield (
            "clusters make the gzip smaller, and nothing else: the file, the memory and the "
            "latency stay as they are"
        )


def _clusters_per_channel(place: Place) -> Iterator[str]:
    form = place.form_after()
    if not _has_one_codebook(place.step) or form is None or form.value not in CHANNEL_FORMS:
        return
    kept = form.options.get("keep")
    # A model that is trained to keep its clusters gets one scale a tensor, where nobody asks more.
    least = "tensor" if isinstance(kept, list) and "clusters" in kept else "channel"
    if form.options.get("granularity", least) != "tensor":
        yield (
            f"{form.value} with a scale a channel partly undoes clusters, one of 16 values had 39 "
            f"integers: scope = 'channel' here or granularity = 'tensor' there keeps them"
        )


def _share(place: Place) -> Iterator[str]:
    if place.step.name == "share":
        yield "shared weights are stored once: a smaller file, but every layer computes as before"


def _is_integer(form: Step | None) -> bool:
    return form is not None and form.value != "float16"


def _has_one_codebook(step: Step) -> bool:
    """Whether a step clusters whole tensors, so that all channels have their values in common."""
    return step.name == "cluster" and step.options.get("scope", "tensor") == "tensor"


RULES: Final = (
    Rule(
        name="zeros-onnx",
        source=(
            "https://github.com/microsoft/onnxruntime/issues/2121; 80 % zeros 12.5 ms against 11.4 "
            "without: https://github.com/neuralmagic/sparseml/issues/1529"
        ),
        check=_zeros_onnx,
    ),
    Rule(name="zeros-quantized", source=XNNPACK, check=_zeros_quantized),
    Rule(name="zeros-dense", source=XNNPACK, check=_zeros_dense),
    Rule(
        name="sparse-x86",
        source=(
            "https://github.com/google/XNNPACK/blob/master/src/xnnpack/hardware-config.h; "
            "LiteRT 2.3, x86 with AVX512: 9.4 ms with 90 % zeros, 9.5 encoded, 9.7 dense"
        ),
        check=_sparse_x86,
    ),
    Rule(name="sparse-shape", source=XNNPACK, check=_sparse_shape),
    Rule(name="sparse-few-zeros", source=XNNPACK, check=_sparse_few),
    Rule(
        name="clusters-gzip-only",
        source=(
            "LiteRT 2.3, x86: a net of 16.9 MB with 16 values a tensor has a gzip of 3.0 MB, the "
            "same file and the same latency"
        ),
        check=_clusters,
    ),
    Rule(
        name="clusters-per-channel",
        source=(
            f"{CLUSTERING}; a CNN of four convolutions, pruned and clustered: gzip 104,470 bytes "
            f"with a scale a channel, 104,047 with one a tensor"
        ),
        check=_clusters_per_channel,
    ),
    Rule(
        name="share-no-speed",
        source=(
            "four equal convolutions: 592 kB become 150 in .tflite and in .onnx, 157 become 44 "
            "after static int8"
        ),
        check=_share,
    ),
)
