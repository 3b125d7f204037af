"""Small architectures that ship with edgebench, and how each is trained from nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edgebench.zoo.ds_cnn import build_ds_cnn
from edgebench.zoo.lenet import build_lenet
from edgebench.zoo.mobilenet_v2 import build_mobilenet_v2
from edgebench.zoo.resnet8 import build_resnet8

if TYPE_CHECKING:
    import keras


class Builder(Protocol):
    """Makes an untrained classifier; `width` scales its hidden layers."""

    def __call__(
        self, shape: tuple[int, ...], classes: int, *, width: float = 1.0
    ) -> "keras.Model":
        """Build it for samples of `shape`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """An architecture and the recipe that trains it.

    Attributes:
        learning_rate: Where Adam begins; it falls to zero along a half cosine.
        revision: Raised with every change to the architecture: trained models are kept.
    """

    build: Builder
    epochs: int
    batch: int
    learning_rate: float
    revision: int = 1


ZOO: Final[Mapping[str, Student]] = {
    "lenet": Student(build=build_lenet, epochs=7, batch=64, learning_rate=2e-3),
    "resnet8": Student(build=build_resnet8, epochs=6, batch=32, learning_rate=4e-3),
    "ds-cnn": Student(build=build_ds_cnn, epochs=6, batch=64, learning_rate=8e-3),
    "mobilenet-v2": Student(build=build_mobilenet_v2, epochs=3, batch=32, learning_rate=4e-3),
}
