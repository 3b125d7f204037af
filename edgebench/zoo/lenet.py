"""LeNet with batch normalization: two convolutions and two dense layers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def build_lenet(shape: tuple[int, ...], classes: int, *, width: float = 1.0) -> "keras.Model":
    """Build a LeNet for images `(height, width, channels)`; `width` scales every hidden layer.

    About 106,000 parameters for 28x28 grey images, 94 % of them in the first dense layer.
    """
    import keras

    def scaled(units: int) -> int:
        return max(1, round(units * width))

    image = keras.Input(shape, name="image")
    x = image
    for index, filters in enumerate((16, 32), start=1):
        # The normalization's shift takes the place of the convolution's bias.
        x = keras.layers.Conv2D(
            scaled(filters), 3, padding="same", use_bias=False, name=f"conv{index}"
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{index}")(x)
        x = keras.layers.ReLU(name=f"relu{index}")(x)
        x = keras.layers.AveragePooling2D(2, name=f"pool{index}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(scaled(64), activation="relu", name="dense")(x)
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    probabilities = keras.layers.Dense(classes, activation="softmax", name="probabilities")(x)
    return keras.Model(image, probabilities, name="lenet")
