"""The power chip of a Pi 5."""

import pytest

from edgebench.core import Reason
from edgebench.measure.meters.meter import Absent, Meter
from edgebench.measure.meters.pi_pmic import MODEL, SOURCE, find, rails, trace
from tests.measure.meters.captures import PMIC_REST_W, listing, pmic, readings

ERROR = 'error=1 error_msg="Command not registered"\n'


def traced(*texts):
    return trace({SOURCE: readings(*texts)})


@pytest.mark.parametrize(
    "model",
    [
        "Raspberry Pi 5 Model B Rev 1.0\n",
        "Raspberry Pi 500 Rev 1.0",
        "Raspberry Pi Compute Module 5 Rev 1.0",
    ],
)
def test_a_board_with_the_chip_is_found(model):
    found = find(listing({MODEL: model}, tools=["vcgencmd"]))
    assert isinstance(found, Meter)
    assert found.scope == "soc_rails"
    assert [source.argv for source in found.sources] == [("vcgencmd", "pmic_read_adc")]


@pytest.mark.parametrize(
    ("model", "tools"),
    [
        ("Raspberry Pi 4 Model B Rev 1.4", ["vcgencmd"]),
        ("Raspberry Pi Zero 2 W Rev 1.0", ["vcgencmd"]),
        ("", []),
        ("Raspberry Pi 5 Model B Rev 1.0", []),
    ],
    ids=["pi 4", "zero", "no pi", "no tool"],
)
def test_a_board_without_it_says_what_to_do(model, tools):
    found = find(listing({MODEL: model}, tools=tools))
    assert isinstance(found, Absent)
    assert found.reason is Reason.NO_SENSOR
    assert found.hint


def test_currents_and_voltages_are_paired_by_name():
    found = rails(pmic())
    assert found["VDD_CORE"] == (2.0, 0.9)
    assert {"EXT5V", "BATT"}.isdisjoint(found)
    assert len(found) == 6


def test_power_is_the_sum_over_the_rails():
    found = traced(pmic(2.0), pmic(4.0))
    assert found.values == pytest.approx([1.8 + PMIC_REST_W, 3.6 + PMIC_REST_W])
    assert found.refusal is None
    assert found.rails == tuple(sorted(rails(pmic())))
    assert found.doubts == ()


@pytest.mark.parametrize("bad", ["", ERROR, None], ids=["empty", "error", "failed"])
def test_what_is_no_table_is_unreadable(bad):
    found = traced(pmic(), bad, pmic())
    assert (found.unreadable, found.values.size, found.refusal) == (1, 2, None)


def test_nothing_but_errors_is_refused():
    found = traced(ERROR, None)
    assert found.refusal is Reason.SENSOR_GAP
    assert found.unreadable == 2


@pytest.mark.parametrize(
    "other",
    [
        pmic(extra="0V8_SW_A current(6)=0.1A\n0V8_SW_V volt(14)=0.8V\n"),
        pmic(without="HDMI_V"),
    ],
    ids=["one more", "one less"],
)
def test_other_rails_in_the_middle_are_refused(other):
    assert traced(pmic(), other, pmic()).refusal is Reason.RAIL_SET_CHANGED


@pytest.mark.parametrize(
    ("supply_v", "refusal"), [(4.9, None), (4.64, None), (4.62, Reason.UNDERVOLTAGE)]
)
def test_a_supply_that_breaks_down_is_refused(supply_v, refusal):
    assert traced(pmic(), pmic(supply_v=supply_v)).refusal is refusal


def test_a_converter_that_draws_too_much_is_doubted():
    assert traced(pmic(), pmic(dac_a=0.61)).doubts == (Reason.ENERGY_INCONSISTENT,)
