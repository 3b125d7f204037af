"""The counters of a processor, and chips that anybody may have soldered on."""

import pytest

from edgebench.core import Reason
from edgebench.measure.meters import hwmon, rapl
from edgebench.measure.meters.meter import Absent, Meter
from tests.measure.meters.captures import listing, readings

ROOT = "/sys/class/powercap"
RANGE_UJ = 65_532_610_987


def domain(folder, name):
    return {
        f"{ROOT}/{folder}/name": f"{name}\n",
        f"{ROOT}/{folder}/energy_uj": "123\n",
        f"{ROOT}/{folder}/max_energy_range_uj": f"{RANGE_UJ}\n",
    }


LAPTOP = {
    **domain("intel-rapl-mmio:0", "package-0"),
    **domain("intel-rapl:0", "package-0"),
    **domain("intel-rapl:0:0", "core"),
    **domain("intel-rapl:0:1", "uncore"),
    **domain("intel-rapl:1", "psys"),
}
TWO_DIES = {
    **domain("intel-rapl:0", "package-0-die-0"),
    **domain("intel-rapl:1", "package-0-die-1"),
    **domain("intel-rapl:2", "dram"),
}


def rapl_of(files):
    found = rapl.find(listing(files))
    assert isinstance(found, Meter)
    return found


def test_only_the_package_counts_and_only_once():
    meter = rapl_of(LAPTOP)
    assert [source.path for source in meter.sources] == [f"{ROOT}/intel-rapl:0/energy_uj"]
    assert (meter.scope, meter.kind) == ("cpu_package", "counter")


def test_the_dies_of_a_package_are_added():
    meter = rapl_of(TWO_DIES)
    one, other = (source.name for source in meter.sources)
    found = meter.trace({one: readings("1000000", "3000000"), other: readings("500000", "900000")})
    assert found.values == pytest.approx([1.5, 3.9])
    assert found.rails == ("package-0-die-0", "package-0-die-1")


def test_a_counter_that_wraps_rises_on():
    meter = rapl_of(LAPTOP)
    (source,) = meter.sources
    texts = [f"{RANGE_UJ - 4_000_000}\n", f"{RANGE_UJ - 1_000_000}\n", "1999999\n"]
    found = meter.trace({source.name: readings(*texts)})
    assert found.values[2] - found.values[0] == pytest.approx(6.0)
    assert (found.values[1:] > found.values[:-1]).all()


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "", "1 2"])
def test_what_a_driver_prints_that_is_no_number_is_counted_and_left_out(text):
    meter = rapl_of(LAPTOP)
    found = meter.trace({meter.sources[0].name: readings("1000000", text, "3000000")})
    assert found.values == pytest.approx([1.0, 3.0])
    assert found.unreadable == 1


def test_without_a_range_a_fall_is_left_to_be_refused():
    files = {path: text for path, text in LAPTOP.items() if "max_energy" not in path}
    meter = rapl_of(files)
    found = meter.trace({meter.sources[0].name: readings("900", "100")})
    assert found.values[1] < found.values[0]


def test_what_cannot_be_read_is_counted():
    meter = rapl_of(LAPTOP)
    found = meter.trace({meter.sources[0].name: readings("1", None, "x", "4")})
    assert (found.values.size, found.unreadable) == (2, 2)
    assert meter.trace({}).refusal is Reason.SENSOR_GAP


def test_root_alone_may_read_and_the_rule_that_mends_it_is_told():
    closed = [path for path in LAPTOP if "energy" in path.rpartition("/")[2]]
    files = {path: text for path, text in LAPTOP.items() if path not in closed}
    found = rapl.find(listing(files, closed=closed))
    assert isinstance(found, Absent)
    assert found.reason is Reason.PERMISSION
    assert 'SUBSYSTEM=="powercap"' in str(found.hint)


def test_a_processor_that_does_not_count_is_told():
    found = rapl.find(listing(domain("intel-rapl:1", "psys")))
    assert isinstance(found, Absent)
    assert found.reason is Reason.NO_SENSOR


def chip(number, name, *files):
    folder = f"/sys/class/hwmon/hwmon{number}"
    return {f"{folder}/name": f"{name}\n", **{f"{folder}/{file}": "1\n" for file in files}}


@pytest.mark.parametrize(
    ("files", "chosen", "kind"),
    [
        (("power1_input",), "power1_input", "power"),
        (("power1_input", "power1_average"), "power1_average", "power"),
        (("power1_input", "power1_average", "energy1_input"), "energy1_input", "counter"),
    ],
)
def test_the_best_file_of_a_chip_is_read(files, chosen, kind):
    found = hwmon.find(listing({**chip(0, "cpu_thermal"), **chip(3, "ina226", *files)}))
    assert isinstance(found, Meter)
    assert found.sources[0].path == f"/sys/class/hwmon/hwmon3/{chosen}"
    assert (found.kind, found.scope, found.name) == (kind, "board_dc", "hwmon ina226")


def test_its_numbers_are_millionths():
    meter = hwmon.find(listing(chip(3, "ina226", "power1_input")))
    assert isinstance(meter, Meter)
    found = meter.trace({meter.sources[0].name: readings("3250000\n", "3275000\n", "")})
    assert found.values == pytest.approx([3.25, 3.275])
    assert (found.unreadable, found.rails) == (1, ("ina226",))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (chip(0, "amdgpu", "power1_average"), Reason.NO_SENSOR),
        (chip(0, "ina226"), Reason.NO_SENSOR),
        (
            {**chip(0, "ina219", "power1_input"), **chip(1, "ina226", "power1_input")},
            Reason.INCOMPARABLE,
        ),
    ],
    ids=["scope unknown", "no file", "which one"],
)
def test_a_chip_that_may_be_anywhere_is_left_alone(files, reason):
    found = hwmon.find(listing(files))
    assert isinstance(found, Absent)
    assert found.reason is reason


def test_a_chip_that_may_not_be_read():
    path = "/sys/class/hwmon/hwmon0/power1_input"
    found = hwmon.find(listing(chip(0, "ina260"), closed=[path]))
    assert isinstance(found, Absent)
    assert found.reason is Reason.PERMISSION
