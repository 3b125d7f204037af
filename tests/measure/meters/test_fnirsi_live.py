"""A logger of FNIRSI's, played by a program that prints as it does."""

import time

import numpy as np
import pytest

from edgebench.errors import ConfigError, DeviceError
from edgebench.measure.meters.host_registry import host_meter, opened

# As the logger: a blank line, a header, then a packet of four readings every 40 ms, forever.
LOGGER = """
import time
print()
print("timestamp sample_in_packet voltage_V current_A dp_V dn_V temp_C_ema energy_Ws capacity_As")
while True:
    time.sleep(0.04)
    now = time.time() - 0.04
    for i in range(4):
        print(f"{now + i * 0.01:.3f} {i} 5.10000 0.80000 1.180 1.030 30.500 0.1 0.1")
"""


def test_the_logger_is_run_again_and_again_on_the_hosts_clock(tmp_path):
    logger = tmp_path / "fnirsi_logger.py"
    logger.write_text(LOGGER)
    with opened(f"fnirsi:{logger}") as meter:
        assert meter is not None
        assert (meter.describe().scope, meter.describe().rate_hz) == ("board_dc", 100.0)
        for _ in range(2):
            begin_ns = time.monotonic_ns()
            meter.start()
            time.sleep(0.8)
            meter.stop()
            found = meter.samples()
            assert found.time_ns.size > 8
            assert found.values == pytest.approx([5.1 * 0.8] * found.time_ns.size)
            assert (np.diff(found.time_ns) > 0).all()
            assert begin_ns - 10**8 < found.time_ns[0]
            assert found.time_ns[-1] < time.monotonic_ns()


@pytest.mark.parametrize(
    ("text", "words"),
    [("raise SystemExit('Device not found')", "Device not found"), ("", "it is silent")],
)
def test_a_logger_that_reads_nothing_is_told_in_its_own_words(tmp_path, text, words):
    logger = tmp_path / "fnirsi_logger.py"
    logger.write_text(text)
    with pytest.raises(DeviceError, match=words), opened(f"fnirsi:{logger}"):
        pass


def test_a_logger_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DeviceError, match="No such file"), opened(f"fnirsi:{tmp_path}/none.py"):
        pass
    with pytest.raises(ConfigError, match="names no logger"):
        host_meter("fnirsi")
