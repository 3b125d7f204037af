"""Train a model for a while, and lose nothing when it goes wrong."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import JsonValue

from edgebench.compress.keras.material import Loss, Samples
from edgebench.compress.options import Common, Tune
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras

LEARNING_RATE: Final = 1e-3
TELL_EVERY_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long is trained, in steps of one batch."""

    steps: int
    epoch_steps: int

    @property
    def epochs(self) -> int:
        """Epochs begun."""
        return math.ceil(self.steps / self.epoch_steps)


# Told the number of the batch that is over, from 1, and of how many.
OnStep = Callable[[int, int], None]


def pace_of(tune: Tune, samples: int, batch: int) -> Pace:
    """How many batches `tune` is on so many samples.

    >>> pace_of(Tune(epochs=2), 100, 32)
    Pace(steps=8, epoch_steps=4)
    """
    epoch = math.ceil(samples / batch)
    return Pace(steps=tune.steps or (tune.epochs or 0) * epoch, epoch_steps=epoch)


def train(  # noqa: PLR0913 - one keyword for each thing that a training depends on
    pupil: "keras.Model",
    model: "keras.Model",
    samples: Samples,
    *,
    common: Common,
    progress: Callable[[str], None],
    on_step: Sequence[OnStep] = (),
    learning_rate: float = LEARNING_RATE,
) -> dict[str, JsonValue]:
    """Fit `pupil`, which holds `model`, by Adam along a half cosine; what came of it.

    Where the loss is no number any more, training stops, and the model keeps the weights of the
    last epoch that ended well: `stopped` in the answer says so.

    Args:
        pupil: What is fitted: it has `compute_loss`.
        model: Whose weights are kept.
        samples: With labels.
        common: `tune` must be there.
        progress: Is told the epoch and the loss.
        on_step: Called after every batch.
        learning_rate: Where the plan names none.

    Raises:
        CompressionError: The loss was no number from the beginning.
    """
    import keras

    assert common.tune is not None
    pace = pace_of(common.tune, samples.count, common.batch)
    rate = common.learning_rate or learning_rate
    keras.utils.set_random_seed(common.seed or 0)
    schedule = keras.optimizers.schedules.CosineDecay(rate, pace.steps)
    # XLA takes longer to compile a small model than it saves.
    loss = getattr(pupil, "loss_of_labels", None)
    pupil.compile(keras.optimizers.Adam(schedule), loss=loss, jit_compile=False)
    watch = Watch(pupil, model, pace, progress=progress, on_step=on_step)
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=watch.after_batch, on_epoch_end=watch.after_epoch
    )
    began = time.monotonic()
    pupil.fit(
        samples.fed(),
        samples.y,
        batch_size=common.batch,
        epochs=pace.epochs,
        verbose=0,
        callbacks=[callback],
    )
    answer: dict[str, JsonValue] = {
        "steps": watch.steps,
        "batch": common.batch,
        "learning_rate": rate,
        "loss": watch.losses,
        "seconds": round(time.monotonic() - began, 3),
    }
    if watch.stopped:
        answer["stopped"] = watch.stopped
    return answer


def pupil_of(model: "keras.Model", loss: Loss) -> "keras.Model":
    """A model to fit in place of the user's, which stays as it was saved: not compiled."""
    import keras

    class Pupil(keras.Model):  # type: ignore[misc]  # Keras has no types
        """Learns by a loss of labels and outputs."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def call(self, x: Any, training: bool = False) -> Any:  # noqa: ANN401 - Keras' own
            return self.model(x, training=training)

        def compute_loss(
            self,
            x: Any = None,  # noqa: ANN401, ARG002 - as Keras calls it
            y: Any = None,  # noqa: ANN401 - Keras' own
            y_pred: Any = None,  # noqa: ANN401 - Keras' own
            sample_weight: Any = None,  # noqa: ANN401, ARG002 - as Keras calls it
            training: bool = True,  # noqa: ARG002 - as Keras calls it
        ) -> Any:  # noqa: ANN401 - Keras' own
            return keras.ops.mean(loss(y, y_pred)) + sum(self.losses)

    return Pupil()


class Watch:
    """Counts steps, tells how it goes, and stops where the loss is no number."""

    def __init__(
        self,
        pupil: Any,  # noqa: ANN401 - Keras' own
        model: Any,  # noqa: ANN401 - Keras' own
        pace: Pace,
        *,
        progress: Callable[[str], None],
        on_step: Sequence[OnStep],
    ) -> None:
        self.pupil, self.model, self.pace = pupil, model, pace
        self.progress, self.on_step = progress, on_step
        self.steps, self.stopped = 0, ""
        self.losses: list[JsonValue] = []
        self.good, self.good_epoch = model.get_weights(), 0
        self.told = time.monotonic()

    def after_batch(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Keras calls it when the optimizer has done its step."""
        del batch
        loss = float((logs or {}).get("loss", math.nan))
        if not math.isfinite(loss):
            self._stop()
            return
        self.steps += 1
        for listener in self.on_step:
            listener(self.steps, self.pace.steps)
        if self.steps >= self.pace.steps:
            self.pupil.stop_training = True
        if time.monotonic() - self.told > TELL_EVERY_S:
            self.told = time.monotonic()
            self.progress(f"step {self.steps} of {self.pace.steps}, loss {loss:.4g}")

    def after_epoch(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras calls it at the end of an epoch, also of one that was stopped."""
        if self.stopped:
            return
        loss = float((logs or {}).get("loss", math.nan))
        self.losses.append(round(loss, 6))
        self.good, self.good_epoch = self.model.get_weights(), epoch + 1
        self.progress(f"epoch {epoch + 1} of {self.pace.epochs}, loss {loss:.4g}")

    def _stop(self) -> None:
        self.pupil.stop_training = True
        if self.steps == 0:
            msg = "The loss of the first batch is no number: the model cannot be trained so."
            hint = "Look for NaN in the data, and for a loss that fits the outputs."
            raise CompressionError(msg, hint=hint)
        self.stopped = (
            f"the loss became NaN or infinite at step {self.steps + 1}; the weights are those "
            f"of the end of epoch {self.good_epoch}"
        )
        self.progress(self.stopped)
        self.model.set_weights(self.good)
