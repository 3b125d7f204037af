"""Qoitech Otii Arc and Ace, by the server of the Otii application and its automation licence.

https://github.com/qoitech/otii-tcp-client-python
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Reason
from edgebench.errors import DeviceError
from edgebench.measure.energy.trace import Trace, no_trace
from edgebench.measure.meters.host import Description, needed

RATE_HZ: Final = 1000.0
CURRENT: Final = "mc"
VOLTAGE: Final = "mv"


class Otii:
    """A `HostMeter`: the first instrument of the application that is running."""

    def __init__(self) -> None:
        self._client: Any = None
        self._project: Any = None
        self._device: Any = None
        self._begin_ns = 0
        self._is_recording = False

    def open(self) -> None:
        """Reach the application and its first instrument; raises DeviceError where it cannot."""
        module = needed("otii_tcp_client.otii_client", package="otii-tcp-client", meter="Otii")
        self._client = module.OtiiClient()
        try:
            otii = self._client.connect()
        except OSError as error:
            self._client = None
            msg = f"The Otii application does not answer: {error}."
            raise DeviceError(msg, hint="Start it, and its TCP server.") from error
        devices = [device for device in otii.get_devices() if device.type in ("Arc", "Ace")]
        if not devices:
            self.close()
            msg = "The Otii application sees no Arc and no Ace."
            raise DeviceError(msg, hint="Plug it in, and see that the application shows it.")
        self._device = devices[0]
        self._project = otii.get_active_project() or otii.create_project()
        self._device.add_to_project()
        for channel in (CURRENT, VOLTAGE):
            self._device.enable_channel(channel, True)

    def describe(self) -> Description:
        """What it is."""
        return Description(name="otii", scope="board_dc", kind="power", rate_hz=RATE_HZ)

    def start(self) -> None:
        """Begin a recording."""
        begin_ns = time.monotonic_ns()
        self._project.start_recording()
        self._is_recording = True
        self._begin_ns = (begin_ns + time.monotonic_ns()) // 2

    def samples(self) -> Trace:
        """What was recorded since the last start, on the host's clock as of its begin."""
        recording = self._project.get_last_recording() if self._project is not None else None
        if recording is None:
            return no_trace("power", "board_dc", Reason.SENSOR_GAP)
        current, voltage = (self._channel(recording, name) for name in (CURRENT, VOLTAGE))
        return trace_of_channels(current, voltage, begin_ns=self._begin_ns)

    def _channel(self, recording: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401
        count = recording.get_channel_data_count(self._device.id, name)
        found: Mapping[str, Any] = recording.get_channel_data(self._device.id, name, 0, count)
        return found

    def stop(self) -> None:
        """End the recording."""
        if self._is_recording:
            self._project.stop_recording()
            self._is_recording = False

    def close(self) -> None:
        """Leave the application."""
        self.stop()
        if self._client is not None:
            self._client.disconnect()
            self._client = None


def trace_of_channels(
    current: Mapping[str, Any], voltage: Mapping[str, Any], *, begin_ns: int
) -> Trace:
    """Watts at the times of the current; the voltage is sampled more seldom, and drawn out."""
    if not current["values"] or not voltage["values"]:
        return no_trace("power", "board_dc", Reason.SENSOR_GAP)
    times_s, amperes = _series(current)
    volts = np.interp(times_s, *_series(voltage))
    return Trace(
        kind="power",
        scope="board_dc",
        time_ns=begin_ns + np.round(times_s * 1e9).astype(np.int64),
        values=amperes * volts,
        rails=("main",),
    )


def _series(channel: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.asarray(channel["values"], dtype=np.float64)
    return channel["timestamp"] + channel["interval"] * np.arange(values.size), values
