"""Plugs in the wall, played by a server on loopback."""

import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.errors import DeviceError
from edgebench.measure.meters.plug import power_in
from edgebench.measure.meters.shelly import gen2_watts, shelly, shelly_gen1
from edgebench.measure.meters.tasmota import tasmota
from tests.plugs import gen1_answer, gen2_answer, tasmota_answer

PERIOD_S = 0.02


class Wall:
    """Answers each path in turn from a list, whose last entry stays."""

    def __init__(self, answers):
        self.answers = answers
        self.asked: list[str] = []
        wall = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wall.asked.append(self.path)
                texts = wall.answers.get(self.path, [])
                text = texts.pop(0) if len(texts) > 1 else "".join(texts)
                self.send_response(200 if text else 404)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


PLUGS = {
    "tasmota": (tasmota, "/cm?cmnd=Status%208", tasmota_answer),
    "shelly-gen1": (shelly_gen1, "/status", gen1_answer),
    "shelly": (shelly, "/rpc/Switch.GetStatus?id=0", gen2_answer),
}


def sampled(meter, *, count=3):
    """Readings of a meter, until there are some."""
    meter.open()
    meter.start()
    stop = time.monotonic() + 5.0
    while time.monotonic() < stop:
        found = meter.samples()
        if found.time_ns.size + found.unreadable >= count:
            break
        time.sleep(PERIOD_S)
    meter.stop()
    meter.stop()
    return meter.samples()


@pytest.mark.parametrize("name", PLUGS)
def test_a_plug_is_asked_again_and_again(name):
    make, path, answer = PLUGS[name]
    begin_ns = time.monotonic_ns()
    with Wall({path: [answer(8.5), answer(8.5), answer(9.25)]}) as wall:
        meter = make(wall.url + "/", period_s=PERIOD_S)
        found = sampled(meter)
    assert set(wall.asked) == {path}
    assert found.values[:2] == pytest.approx([8.5, 9.25])
    assert (np.diff(found.time_ns) > 0).all()
    assert begin_ns < found.time_ns[0] < time.monotonic_ns()
    assert (found.scope, found.kind, found.rails) == ("wall_ac", "power", (name,))
    assert meter.describe().resolution == 0.01
    assert meter.describe().rate_hz == pytest.approx(1 / PERIOD_S)


@pytest.mark.parametrize(
    ("power", "resolution"), [("26", 1.0), (" 26", 1.0), ("26.5", 0.1), ("26.500", 0.001)]
)
def test_the_step_of_a_plug_is_what_it_writes(power, resolution):
    with Wall({"/cm?cmnd=Status%208": [tasmota_answer(power)]}) as wall:
        meter = tasmota(wall.url)
        meter.open()
    assert meter.describe().resolution == pytest.approx(resolution)


def test_the_sockets_of_a_plug_are_added():
    with Wall({"/cm?cmnd=Status%208": [tasmota_answer("[3.5, 4.25]")]}) as wall:
        assert sampled(tasmota(wall.url, period_s=PERIOD_S)).values[0] == pytest.approx(7.75)


def test_an_answer_that_fails_is_counted_and_the_next_is_read():
    texts = [gen2_answer(5.0), gen2_answer(5.0), "no json", '{"output": true}', gen2_answer(6.0)]
    with Wall({"/rpc/Switch.GetStatus?id=0": texts}) as wall:
        found = sampled(shelly(wall.url, period_s=PERIOD_S), count=4)
    assert found.unreadable == 2
    assert found.values[:2] == pytest.approx([5.0, 6.0])


@pytest.mark.parametrize(
    "answers",
    [{}, {"/status": ["<html>"]}, {"/status": ['{"meters": []}']}, {"/status": ['{"meters": 1}']}],
    ids=["not found", "no json", "no meter", "no list"],
)
def test_what_is_no_plug_is_told_when_it_is_opened(answers):
    with Wall(answers) as wall, pytest.raises(DeviceError, match="tells no power") as caught:
        shelly_gen1(wall.url).open()
    assert wall.url in str(caught.value.hint)


def test_a_plug_that_is_not_there_is_told():
    with Wall({}) as wall:
        url = wall.url
    with pytest.raises(DeviceError, match="tells no power"):
        tasmota(url).open()


def test_a_plug_that_was_never_started_has_no_samples():
    found = shelly("http://127.0.0.1:9").samples()
    assert found.refusal is Reason.SENSOR_GAP


@pytest.mark.parametrize("content", [b'{"apower": null}', b'{"apower": "9"}', b"[]", b"\xff"])
def test_a_power_that_is_no_number_is_none(content):
    with pytest.raises(ValueError, match=r"power|decode|JSON"):
        power_in(content, gen2_watts)


def test_a_number_keeps_its_digits():
    assert power_in(b'{"apower": 8.90}', gen2_watts) == Decimal("8.90")
