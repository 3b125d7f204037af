"""A plug in the wall that answers over HTTP, whoever made it."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from edgebench.errors import DeviceError
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.host import Description, Polling, Sample

# Plugs renew their value about once a second.
PERIOD_S: Final = 1.0
TIMEOUT_S: Final = 3.0


class Plug:
    """A `HostMeter`: one question a second, at the middle of its answer.

    Args:
        url: With scheme and host, such as `http://192.168.1.50`.
        path: Of the question.
        watts: The power in the answer; it raises LookupError or TypeError where there is none.
    """

    def __init__(
        self,
        name: str,
        url: str,
        path: str,
        watts: Callable[[Any], Any],
        *,
        period_s: float = PERIOD_S,
    ) -> None:
        self._name = name
        self._url = url.rstrip("/") + path
        self._watts = watts
        self._period_s = period_s
        self._polling = Polling(self._samples, period_s=period_s)
        # Trailing zeros are not sent: the finest reading shows the step.
        self._digits = 0

    def open(self) -> None:
        """Ask once.

        Raises:
            DeviceError: There is no plug there, or it tells no power.
        """
        try:
            self._ask()
        except (OSError, ValueError) as error:
            msg = f"{self._name} at {self._url!r} tells no power: {error}."
            raise DeviceError(msg, hint=f"Open {self._url} in a browser.") from error

    def describe(self) -> Description:
        """What it is; the step is the finest that was seen so far."""
        return Description(
            name=self._name,
            scope="wall_ac",
            kind="power",
            rate_hz=1 / self._period_s,
            resolution=10.0**-self._digits,
        )

    def start(self) -> None:
        """Begin to ask."""
        self._polling.start()

    def samples(self) -> Trace:
        """What was told since the last start, on the host's clock."""
        return self._polling.collected.trace(self.describe())

    def stop(self) -> None:
        """No longer ask."""
        self._polling.stop()

    def close(self) -> None:
        """No connection is held."""
        self.stop()

    def _samples(self) -> Sequence[Sample]:
        begin_ns = time.monotonic_ns()
        watts = self._ask()
        return [((begin_ns + time.monotonic_ns()) // 2, float(watts))]

    def _ask(self) -> Decimal:
        try:
            with urllib.request.urlopen(self._url, timeout=TIMEOUT_S) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            # It holds the connection, and outlives this call as the cause of another.
            error.close()
            msg = f"the answer is HTTP {error.code}"
            raise ValueError(msg) from error
        except http.client.HTTPException as error:
            msg = f"the answer is no HTTP ({error})"
            raise ValueError(msg) from error
        watts = power_in(content, self._watts)
        self._digits = max(self._digits, digits(watts))
        return watts


def power_in(content: bytes, watts: Callable[[Any], Any]) -> Decimal:
    """The power in an answer.

    Raises:
        ValueError: It is no JSON, or has no power where this kind of plug has it.
    """
    document = json.loads(content, parse_float=Decimal, parse_int=Decimal)
    try:
        power = watts(document)
    except (LookupError, TypeError) as error:
        msg = f"the answer {content[:80]!r} has no power in it"
        raise ValueError(msg) from error
    if not isinstance(power, Decimal):
        msg = f"the power is {power!r}"
        raise ValueError(msg)  # noqa: TRY004  # what a plug said is no mistake of the caller
    return power


def digits(number: Decimal) -> int:
    """How many stand behind the point.

    >>> digits(Decimal("26")), digits(Decimal("8.91"))
    (0, 2)
    """
    exponent = number.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
