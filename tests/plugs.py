"""A plug in the wall: a real server that answers as Tasmota's and Shelly's do."""

import json
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.simulated import CORE_W, IDLE_W

# From so many watts on the board is at work; a chirp is not for so long.
AT_WORK_W: Final = IDLE_W + CORE_W / 2
CHIRP_S: Final = 3.0


def tasmota_answer(power):
    # Written by hand, for some firmwares put a space before a number and zeros behind it.
    return (
        '{"StatusSNS":{"Time":"2026-01-02T03:04:05","ENERGY":{"TotalStartTime":'
        f'"2025-01-01T00:00:00","Total":0.100,"Yesterday":0.000,"Today":0.001,"Power":{power},'
        '"ApparentPower": 9,"ReactivePower": 2,"Factor":0.90,"Voltage":230,"Current":0.044}}}'
    )


def gen1_answer(power):
    return json.dumps({"meters": [{"power": power, "overpower": 0.0, "is_valid": True}]})


def gen2_answer(power):
    return json.dumps({"id": 0, "output": True, "apower": power, "aenergy": {"total": 6.532}})


ANSWERS: Final[Mapping[str, tuple[str, Callable[[str], str]]]] = {
    "tasmota": ("/cm?cmnd=Status%208", tasmota_answer),
    "shelly": ("/rpc/Switch.GetStatus?id=0", lambda power: gen2_answer(float(power))),
}


class FollowingPlug:
    """Tells what a board took a while ago; `tell` says what it takes.

    Attributes:
        dies: Whether it answers no more once the board has worked for longer than a chirp.
    """

    def __init__(self, kind: str, *, lag_s: float = 0.0, dies: bool = False) -> None:
        self.lag_s, self.dies, self.is_dead = lag_s, dies, False
        self.times_s: list[float] = [0.0]
        self.watts: list[float] = [IDLE_W]
        self.rested_s = time.monotonic()
        path, answer = ANSWERS[kind]
        plug = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if plug.is_dead or self.path != path:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answer(f"{plug.now():.3f}").encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"{kind}:127.0.0.1:{self.server.server_address[1]}?period_s=0.2"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def tell(self, watts: float) -> None:
        now_s = time.monotonic()
        self.times_s.append(now_s)
        self.watts.append(watts)
        if watts < AT_WORK_W:
            self.rested_s = now_s
        self.is_dead |= self.dies and now_s - self.rested_s > CHIRP_S

    def now(self) -> float:
        """What the board took `lag_s` ago."""
        return self.watts[bisect_right(self.times_s, time.monotonic() - self.lag_s) - 1]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
