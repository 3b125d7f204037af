"""The rails of a Jetson, by two drivers and by its own program."""

import pytest

from edgebench.core import Reason
from edgebench.measure.meters import jetson_hwmon, jetson_iio, tegrastats
from edgebench.measure.meters.meter import Absent, Meter
from tests.measure.meters.captures import ORIN, ORIN_AO, TEGRASTATS, ina3221, listing, readings

NANO = "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
ORIN_NANO = ina3221(
    ORIN, ("VDD_IN", 5000, 900), ("VDD_CPU_GPU_CV", 5000, 300), ("VDD_SOC", 5000, 200)
)
AGX_ORIN = {
    **ina3221(
        ORIN, ("VDD_GPU_SOC", 840, 3000), ("VDD_CPU_CV", 780, 1000), ("VIN_SYS_5V0", 5000, 700)
    ),
    **ina3221(ORIN_AO, ("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 1800, 300), ("", 0, 0)),
}


def hwmon(files, **more):
    found = jetson_hwmon.find(listing(files, **more))
    assert isinstance(found, Meter)
    return found


def spoken(meter, files, *, count=3):
    """Every source of the meter says what its file holds."""
    return {source.name: readings(*[files[source.path]] * count) for source in meter.sources}


def test_the_input_of_the_module_is_taken_alone():
    meter = hwmon(ORIN_NANO)
    assert meter.name == "ina3221 VDD_IN"
    assert [source.path for source in meter.sources] == [f"{ORIN}/in1_input", f"{ORIN}/curr1_input"]
    found = meter.trace(spoken(meter, ORIN_NANO))
    assert found.values == pytest.approx([4.5] * 3)
    assert (found.scope, found.rails) == ("module", ("VDD_IN",))


def test_the_rails_of_an_agx_orin_are_added_and_its_fourth_is_not():
    meter = hwmon(AGX_ORIN)
    found = meter.trace(spoken(meter, AGX_ORIN))
    assert found.rails == ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
    assert found.values == pytest.approx([2.52 + 0.78 + 3.5] * 3)


def test_the_step_of_the_shunt_is_the_resolution():
    assert hwmon(ORIN_NANO).trace({}).resolution is None
    meter = hwmon(ORIN_NANO)
    assert meter.trace(spoken(meter, ORIN_NANO)).resolution == pytest.approx(0.008 * 5.0)


def test_without_a_known_shunt_the_resolution_is_unknown():
    files = {path: text for path, text in ORIN_NANO.items() if "shunt" not in path}
    meter = hwmon(files)
    assert meter.trace(spoken(meter, files)).resolution is None


def test_the_chip_is_known_by_its_name_too():
    folder = "/sys/class/hwmon/hwmon1"
    files = {f"{folder}/name": "ina3221\n", **ina3221(folder, ("VDD_IN", 5000, 900))}
    assert hwmon(files).name == "ina3221 VDD_IN"


@pytest.mark.parametrize(
    "files",
    [
        {},
        ina3221(ORIN, ("VDD_SOC", 5000, 200)),
        ina3221("/sys/class/hwmon/hwmon9", ("VDD_IN", 1, 1)),
    ],
    ids=["nothing", "only a part", "another chip"],
)
def test_a_board_without_a_whole_is_told(files):
    found = jetson_hwmon.find(listing(files))
    assert isinstance(found, Absent)
    assert found.reason is Reason.NO_SENSOR


def test_what_may_not_be_read_is_a_matter_of_permission():
    files = {path: text for path, text in ORIN_NANO.items() if "curr1" not in path}
    found = jetson_hwmon.find(listing(files, closed=[f"{ORIN}/curr1_input"]))
    assert isinstance(found, Absent)
    assert found.reason is Reason.PERMISSION
    assert "chmod" in str(found.hint)


def test_half_of_a_pair_is_unreadable():
    meter = hwmon(ORIN_NANO)
    volts, amperes = (source.name for source in meter.sources)
    found = meter.trace(
        {volts: readings("5000", "5000", "N/A"), amperes: readings("900", None, "1")}
    )
    assert found.values == pytest.approx([4.5])
    assert found.unreadable == 2


def test_a_partner_that_is_far_away_in_time_is_none():
    meter = hwmon(ORIN_NANO)
    volts, amperes = (source.name for source in meter.sources)
    late = readings("900", begin_ns=9 * 10**9)
    found = meter.trace({volts: readings("5000", "5000"), amperes: late})
    assert found.refusal is Reason.SENSOR_GAP


def test_the_old_driver_counts_in_milliwatts():
    files = {
        f"{NANO}/rail_name_0": "POM_5V_IN\n",
        f"{NANO}/rail_name_1": "POM_5V_GPU\n",
        f"{NANO}/rail_name_2": "POM_5V_CPU\n",
    }
    meter = jetson_iio.find(listing(files))
    assert isinstance(meter, Meter)
    (source,) = meter.sources
    assert source.path == f"{NANO}/in_power0_input"
    found = meter.trace({source.name: readings("2105\n", "2210\n", "x")})
    assert found.values == pytest.approx([2.105, 2.21])
    assert found.unreadable == 1


def test_a_board_without_the_old_driver_is_told():
    found = jetson_iio.find(listing({f"{NANO}/rail_name_0": "NC\n"}))
    assert isinstance(found, Absent)


@pytest.mark.parametrize("board", TEGRASTATS)
def test_a_line_of_tegrastats(board):
    line, watts, rails = TEGRASTATS[board]
    found = tegrastats.trace({tegrastats.SOURCE: readings(line, line)})
    assert found.values == pytest.approx([watts, watts])
    assert found.rails == rails
    assert found.refusal is None


def test_the_program_is_a_stream():
    meter = tegrastats.find(listing(tools=["tegrastats"]))
    assert isinstance(meter, Meter)
    (source,) = meter.sources
    assert source.is_stream
    assert source.argv == ("tegrastats", "--interval", "100")
    assert isinstance(tegrastats.find(listing()), Absent)


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        (["VDD_IN 100mW/100mW", "VDD_IN 100mW/100mW VDD_SOC 1mW/1mW"], Reason.RAIL_SET_CHANGED),
        (["VDD_SOC 100mW/100mW"], Reason.NO_SENSOR),
        (["RAM 613/3964MB (lfb 1x4MB)"], Reason.NO_SENSOR),
        ([None], Reason.NO_SENSOR),
    ],
    ids=["changes", "only a part", "no power without root", "nothing"],
)
def test_lines_that_are_no_whole_are_refused(lines, refusal):
    assert tegrastats.trace({tegrastats.SOURCE: readings(*lines)}).refusal is refusal
