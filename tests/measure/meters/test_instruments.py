"""Instruments that need a package of their own: what of them needs none."""

import sys
import threading
import time

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.errors import ConfigError, DeviceError
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters import joulescope, monsoon, otii, ppk2
from edgebench.measure.meters.host import Collected, Description, Polling
from edgebench.measure.meters.host_registry import HOST_METERS, host_meter

SECOND = 10**9
DESCRIPTION = Description(name="one", scope="board_dc", kind="counter", rate_hz=10.0)


@pytest.mark.parametrize(
    ("address", "package", "module"),
    [
        ("joulescope", "pyjoulescope_driver", "pyjoulescope_driver"),
        ("monsoon:4.2", "monsoon", "Monsoon"),
        ("otii", "otii-tcp-client", "otii_tcp_client"),
        ("ppk2:3.3", "ppk2-api", "ppk2_api"),
    ],
)
def test_a_missing_package_is_told_with_its_command(monkeypatch, address, package, module):
    monkeypatch.setitem(sys.modules, module, None)
    meter = host_meter(address)
    with pytest.raises(DeviceError, match=package) as caught:
        meter.open()
    assert caught.value.hint == f"pip install {package}"


@pytest.mark.parametrize("name", HOST_METERS)
def test_every_meter_describes_itself_and_can_be_stopped_before_it_was_started(name):
    rest = {"monsoon": "3.3", "ppk2": "3.3", "trace": "wall_ac"}.get(name, "127.0.0.1:9")
    meter = HOST_METERS[name](rest)
    found = meter.describe()
    assert found.rate_hz > 0
    assert meter.samples().refusal in {Reason.SENSOR_GAP, Reason.NOT_MEASURED}
    for end in (meter.stop, meter.close):
        end()
        end()


@pytest.mark.parametrize(
    "address",
    [
        *("multimeter:x", "tasmota", "shelly:", "", "ppk2:high", "monsoon", "trace", "trace:mains"),
        *("tasmota:192.0.2.9?period_s=0", "tasmota:192.0.2.9?period_s=soon", "shelly:a?rate=2"),
    ],
)
def test_an_address_that_is_no_meter_is_refused_with_a_hint(address):
    with pytest.raises(ConfigError) as caught:
        host_meter(address)
    assert caught.value.hint


@pytest.mark.parametrize("address", ["ppk2:12", "ppk2:0.1", "monsoon:20", "monsoon:nan"])
def test_a_voltage_that_the_supply_does_not_have_is_refused(address):
    with pytest.raises(ConfigError, match="cannot supply"):
        host_meter(address)


def test_an_address_may_be_written_as_one_of_the_web_and_say_how_often():
    for address in ("shelly:192.0.2.9?period_s=0.2", "shelly://192.0.2.9?period_s=0.2"):
        assert host_meter(address).describe().rate_hz == pytest.approx(5.0)
    assert host_meter("trace:module?period_s=0.1").describe().scope == "module"


def test_microamperes_add_up_to_joules():
    adder = ppk2.Adder(3.3)
    assert adder.add([], 5) == []
    # 100 mA over a tenth of a second.
    samples = [sample for at in (7, 9) for sample in adder.add([100_000.0] * 10_000, at)]
    assert [time_ns for time_ns, _ in samples] == [7, 9]
    assert [energy for _, energy in samples] == pytest.approx([0.033, 0.066])


def test_a_document_of_the_joulescope_holds_joules():
    document = {
        "signals": {"power": {"avg": {"value": 1.5, "units": "W"}}},
        "accumulators": {"energy": {"value": 42.25, "units": "J"}},
    }
    assert joulescope.sample_of(document, 3) == (3, 42.25)


def test_the_rate_of_a_joulescope_is_that_of_its_kind():
    assert joulescope.Joulescope("u/js110/001").describe().rate_hz == 2.0
    assert joulescope.Joulescope("u/js220/001").describe().rate_hz == 10.0


def channel(values, *, begin_s=0.0, interval_s):
    return {
        "data_type": "analog",
        "timestamp": begin_s,
        "interval": interval_s,
        "values": values,
    }


def test_the_voltage_of_an_otii_is_drawn_out_to_the_times_of_its_current():
    current = channel([0.1] * 5, interval_s=0.25)
    voltage = channel([4.0, 5.0], interval_s=1.0)
    found = otii.trace_of_channels(current, voltage, begin_ns=SECOND)
    assert found.values == pytest.approx([0.4, 0.425, 0.45, 0.475, 0.5])
    assert found.time_ns.tolist() == [SECOND + i * SECOND // 4 for i in range(5)]


def test_an_otii_that_recorded_nothing_has_no_trace():
    empty = channel([], interval_s=1.0)
    assert otii.trace_of_channels(empty, empty, begin_ns=0).refusal is Reason.SENSOR_GAP


def test_samples_of_one_packet_of_a_monsoon_are_averaged():
    times = [0.001, 0.001, 0.002, 0.015, 0.015]
    found = monsoon.trace_of(times, [100, 300, 200, 50, 150], [4.0] * 5, begin_ns=SECOND)
    assert found.values == pytest.approx([0.8, 0.4])
    assert found.time_ns.tolist() == [SECOND + 5_000_000, SECOND + 15_000_000]
    assert monsoon.trace_of([], [], [], begin_ns=0).refusal is Reason.SENSOR_GAP


def test_what_steps_back_or_is_no_number_is_counted_and_left_out():
    kept = Collected()
    kept.add([(1, 1.0), (3, 2.0), (2, 9.0), (3, 9.0), (4, float("nan")), (5, 3.0)])
    kept.lose()
    found = kept.trace(DESCRIPTION)
    assert found.values.tolist() == [1.0, 2.0, 3.0]
    assert found.unreadable == 4


def test_a_thread_reads_until_it_is_stopped():
    read = threading.Event()
    calls = iter(range(1_000_000))

    def now():
        count = next(calls)
        if count == 1:
            msg = "gone for a moment"
            raise OSError(msg)
        if count >= 4:
            read.set()
        return [(time.monotonic_ns(), float(count))]

    polling = Polling(now, period_s=0.001)
    polling.start()
    assert read.wait(timeout=5.0)
    polling.stop()
    found = polling.collected.trace(DESCRIPTION)
    assert isinstance(found, Trace)
    assert found.unreadable == 1
    assert (np.diff(found.values) > 0).all()
    count = found.values.size
    time.sleep(0.01)
    assert polling.collected.trace(DESCRIPTION).values.size == count
    read.clear()
    polling.start()
    assert read.wait(timeout=5.0)
    polling.stop()
    anew = polling.collected.trace(DESCRIPTION)
    assert anew.time_ns[0] > found.time_ns[-1]
