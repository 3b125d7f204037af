"""Traces that other programs wrote."""

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.errors import ConfigError
from edgebench.measure.meters.fnirsi import STEP_NS, read_log
from edgebench.measure.meters.imported import read_csv, read_spl, read_trace

EPOCH_S = 1_700_000_000


def test_a_csv_of_power():
    found = read_csv("time_s,power_w\n0.0,3.5\n0.1,3.6\n0.2,3.7\n", scope="board_dc")
    assert found.time_ns.tolist() == [0, 10**8, 2 * 10**8]
    assert found.values == pytest.approx([3.5, 3.6, 3.7])
    assert (found.kind, found.scope) == ("power", "board_dc")


def test_a_csv_of_a_counter_with_a_column_too_many():
    found = read_csv("n,time_s,energy_j\n1,5,1e3\n2,6,1.004e3\n", scope="wall_ac")
    assert found.kind == "counter"
    assert found.values == pytest.approx([1000.0, 1004.0])


def test_nanoseconds_of_an_epoch_are_kept():
    found = read_csv(f"time_s,power_w\n{EPOCH_S}.123456789,1\n", scope="board_dc")
    assert found.time_ns.tolist() == [EPOCH_S * 10**9 + 123456789]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns"),
        ("seconds,power_w\n0,1\n", "columns"),
        ("time_s,watts\n0,1\n", "columns"),
        ("time_s,power_w\n0,1\n1,high\n", "Line 3"),
        ("time_s,power_w\n0,1\n1\n", "Line 3"),
        ("time_s,power_w\n1,1\n0,1\n", "Line 3"),
        ("time_s,power_w\n1,1\n1,1\n", "Line 3"),
        ("time_s,power_w\nnan,1\n", "Line 2"),
        ("time_s,power_w\n1e999,1\n", "Line 2"),
        ("time_s,power_w\n1,nan\n", "Line 2"),
    ],
)
def test_a_csv_that_is_none_is_refused_with_its_line(text, words):
    with pytest.raises(ConfigError, match=words):
        read_csv(text, scope="board_dc")


def test_a_csv_without_lines_has_no_trace():
    assert read_csv("time_s,power_w\n", scope="board_dc").refusal is Reason.SENSOR_GAP


SPL = """\
Time,01-31-2026 23:59:59.500,Watts,9.870000,Volts,229.9,Amps,0.055,PF,0.78,Mark,notset
Time,02-01-2026 00:00:00.500,Watts,9.910000,Volts,229.8,Amps,0.055,PF,0.78,Mark,run_1

Time,02-01-2026 00:00:01.500,Watts,-1.000000,Volts,229.8,Amps,0.000,PF,0.00,Mark,run_1
Time,02-01-2026 00:00:02.500,Watts,10.00000,Volts,229.8,Amps,0.056,PF,0.78,Mark,run_1
"""


def test_the_log_of_mlperf():
    found = read_spl(SPL)
    assert np.diff(found.time_ns).tolist() == [10**9, 2 * 10**9]
    assert found.values == pytest.approx([9.87, 9.91, 10.0])
    assert (found.scope, found.unreadable) == ("wall_ac", 1)


@pytest.mark.parametrize(
    "line", ["Watts,1", "Time,31-01-2026 00:00:00.0,Watts,1", "Time,01-31-2026 00:00:00.0,Watts,x"]
)
def test_another_log_is_refused(line):
    with pytest.raises(ConfigError, match="Line 1"):
        read_spl(line)


HEAD = "timestamp sample_in_packet voltage_V current_A dp_V dn_V temp_C_ema energy_Ws capacity_As\n"


def fnirsi(arrivals_s, *, volts=5.1, amperes=0.8):
    """Four readings a packet, numbered on from the arrival as the logger does."""
    rows = [
        f"{EPOCH_S + at + i * 0.01:.3f} {i} {volts:.5f} {amperes:.5f} 1.18 1.03 30.5 0.1 0.1"
        for at in arrivals_s
        for i in range(4)
    ]
    return HEAD + "\n".join(rows) + "\n"


def test_readings_of_a_usb_meter_are_ten_milliseconds_apart():
    found = read_log(fnirsi([0.0, 0.04, 0.08]))
    assert np.diff(found.time_ns).tolist() == [STEP_NS] * 11
    assert found.values == pytest.approx([5.1 * 0.8] * 12)
    assert found.scope == "board_dc"


def test_the_last_reading_of_a_packet_is_of_its_arrival():
    found = read_log(fnirsi([0.5]))
    assert found.time_ns[-1] == EPOCH_S * 10**9 + 500_000_000


def test_packets_that_come_early_and_late_do_not_step_back():
    arrivals = [0.04 * i + (0.015 if i % 3 else -0.012) for i in range(200)]
    found = read_log(fnirsi(arrivals))
    steps = np.diff(found.time_ns)
    assert found.unreadable == 0
    assert steps.min() > 0.5 * STEP_NS
    assert steps.max() < 1.5 * STEP_NS


def test_packets_that_are_missing_are_a_gap():
    found = read_log(fnirsi([0.0, 0.04, 1.04, 1.08]))
    assert np.diff(found.time_ns).max() > 0.9 * 10**9


@pytest.mark.parametrize("line", ["1.0 0 5.1", "now 0 5.1 0.8", "1.0 0 high 0.8"])
def test_a_line_of_another_logger_is_refused(line):
    with pytest.raises(ConfigError, match="no line of the logger"):
        read_log(HEAD + line)


def test_an_empty_log_has_no_trace():
    assert read_log(HEAD).refusal is Reason.SENSOR_GAP


@pytest.mark.parametrize(
    ("text", "scope"),
    [("time_s,power_w\n0,1\n1,2\n", "module"), (SPL, "module"), (fnirsi([0.0]), "board_dc")],
    ids=["csv", "spl", "fnirsi"],
)
def test_the_first_line_says_whose_file_it_is(tmp_path, text, scope):
    path = tmp_path / "trace.txt"
    path.write_text(text)
    assert read_trace(path, scope="module").scope == scope


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("none.csv", "binary"):
        with pytest.raises(ConfigError, match=name):
            read_trace(tmp_path / name, scope="module")
