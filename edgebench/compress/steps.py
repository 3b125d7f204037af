"""All there is: the steps a plan may name, and the conversions from one format to another.

A technique is one new file with a Way, and one line here. What stands in an `export` of Keras runs
in TensorFlow; every way runs in a worker process of its own.
"""

from collections.abc import Mapping
from typing import Final

from edgebench.compress.cluster import check_cluster
from edgebench.compress.distil import check_distil, check_student
from edgebench.compress.factor import check_factor
from edgebench.compress.filters import check_filters
from edgebench.compress.fold import check_fold
from edgebench.compress.keras import aware, distil, factor, filters, fold, share, student
from edgebench.compress.keras import cluster as keras_cluster
from edgebench.compress.keras import own as keras_own
from edgebench.compress.keras import prune as keras_prune
from edgebench.compress.keras import sparse as keras_sparse
from edgebench.compress.keras.export import export_onnx, export_tflite
from edgebench.compress.keras.train import TRAIN
from edgebench.compress.onnx import cluster as onnx_cluster
from edgebench.compress.onnx import factor as onnx_factor
from edgebench.compress.onnx import fold as onnx_fold
from edgebench.compress.onnx import own as onnx_own
from edgebench.compress.onnx import prune as onnx_prune
from edgebench.compress.onnx import quantize as onnx_quantize
from edgebench.compress.onnx import share as onnx_share
from edgebench.compress.onnx import to_tflite
from edgebench.compress.own import check_own
from edgebench.compress.prune import check_prune
from edgebench.compress.quantize import check_quantize
from edgebench.compress.share import check_share
from edgebench.compress.sparse import check_sparse
from edgebench.compress.technique import Technique, Way
from edgebench.compress.tflite import quantize as tflite_quantize
from edgebench.core import Format


def _both(*ways: Way) -> dict[Format, Way]:
    return {way.source: way for way in ways}


STEPS: Final[Mapping[str, Technique]] = {
    "student": Technique(check=check_student, ways={Format.KERAS: student.WAY}),
    "distil": Technique(check=check_distil, ways=distil.WAYS),
    "filters": Technique(check=check_filters, ways={Format.KERAS: filters.WAY}),
    "lowrank": Technique(
        check=check_factor, ways=_both(factor.WAYS["lowrank"], onnx_factor.WAYS["lowrank"])
    ),
    "tucker": Technique(
        check=check_factor, ways=_both(factor.WAYS["tucker"], onnx_factor.WAYS["tucker"])
    ),
    "cp": Technique(check=check_factor, ways=_both(factor.WAYS["cp"], onnx_factor.WAYS["cp"])),
    "fold": Technique(check=check_fold, ways=_both(fold.WAY, onnx_fold.WAY)),
    "prune": Technique(check=check_prune, ways=_both(keras_prune.WAY, onnx_prune.WAY)),
    "cluster": Technique(check=check_cluster, ways=_both(keras_cluster.WAY, onnx_cluster.WAY)),
    "share": Technique(check=check_share, ways=_both(share.WAY, onnx_share.WAY)),
    "sparse": Technique(check=check_sparse, ways={Format.KERAS: keras_sparse.WAY}),
    "step": Technique(check=check_own, ways=_both(keras_own.WAY, onnx_own.WAY)),
    "quantize": Technique(
        check=check_quantize,
        ways=_both(aware.WAY, tflite_quantize.WAY, onnx_quantize.WAY),
    ),
}

TO_TFLITE: Final = ("tensorflow", "keras", "ai-edge-litert")
TO_ONNX: Final = ("tensorflow", "keras", "tf2onnx", "onnx")

CONVERSIONS: Final[Mapping[tuple[Format, Format], Way]] = {
    (way.source, way.target): way
    for way in (
        Way(
            name="keras to tflite",
            source=Format.KERAS,
            target=Format.TFLITE,
            function=export_tflite,
            tools=TO_TFLITE,
        ),
        Way(
            name="saved-model to tflite",
            source=Format.SAVED_MODEL,
            target=Format.TFLITE,
            function=export_tflite,
            tools=TO_TFLITE,
        ),
        Way(
            name="keras to onnx",
            source=Format.KERAS,
            target=Format.ONNX,
            function=export_onnx,
            tools=TO_ONNX,
        ),
        Way(
            name="saved-model to onnx",
            source=Format.SAVED_MODEL,
            target=Format.ONNX,
            function=export_onnx,
            tools=TO_ONNX,
        ),
        to_tflite.WAY,
    )
}

# Why there is no way, where a user might well expect one.
NO_CONVERSION: Final[Mapping[tuple[Format, Format], str]] = {
    (Format.TFLITE, Format.ONNX): (
        "a .tflite has lost what a float ONNX graph needs; begin with the model it was made from"
    ),
}

WAYS: Final[Mapping[str, Way]] = {
    way.name: way
    for way in (
        TRAIN,
        *CONVERSIONS.values(),
        *(way for technique in STEPS.values() for way in technique.ways.values()),
    )
}
