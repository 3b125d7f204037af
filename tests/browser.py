"""A real browser, headless: Chromium, driven by its own chromedriver."""

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

# What does not leave the machine.
LOCAL = ("file:", "data:", "blob:", "about:", "chrome")


class Browser:
    """One window, and what it said and asked for since it was opened."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Open a file in a window of this width."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.said()
        self.asked()
        self.driver.get(path.resolve().as_uri())

    def run(self, script: str, *values: object) -> Any:
        """What a script returns in the page."""
        return self.driver.execute_script(script, *values)

    def click(self, x: float, y: float) -> None:
        """Press and release the mouse at a place of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            if kind == "mouseMoved":
                event |= {"button": "none", "clickCount": 0}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
            time.sleep(0.1)

    def wait(self, script: str, *values: object) -> None:
        """Until a script returns what is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 90).until(lambda _: self.run(script, *values), script)

    def said(self) -> list[str]:
        """Errors and warnings of the console."""
        log = self.driver.get_log("browser")
        return [f"{line['level']}: {line['message']}" for line in log]

    def asked(self) -> list[str]:
        """Addresses outside of this machine's files that the page asked for."""
        log = self.driver.get_log("performance")
        events = [json.loads(line["message"])["message"] for line in log]
        urls = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(LOCAL)]

    def shoot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        asked = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
            asked["clip"] = {**size, "scale": 1}
        told = self.driver.execute_cdp_cmd("Page.captureScreenshot", asked)
        path.write_bytes(base64.b64decode(told["data"]))

    def violations(self) -> list[str]:
        """What axe-core finds that is serious or critical."""
        found = find_spec("axe_playwright_python")
        assert found is not None
        assert found.submodule_search_locations is not None
        script = Path(found.submodule_search_locations[0]) / "axe.min.js"
        self.run(script.read_text("utf-8"))
        told = self.driver.execute_async_script(
            "const done = arguments[0];"
            "axe.run({exclude: ['.plot *']}, {resultTypes: ['violations']}).then(done, (e) =>"
            "done({violations: [{impact: 'critical', id: String(e), nodes: []}]}))"
        )
        return [
            f"{v['id']}: {[node['html'][:120] for node in v['nodes'][:3]]}"
            for v in told["violations"]
            if v["impact"] in {"serious", "critical"}
        ]


@contextlib.contextmanager
def opened(chromium: str, chromedriver: str) -> Iterator[Browser]:
    """A browser of one's own, which ends with the block."""
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # In a container there is no sandbox within root's own, and little shared memory.
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    driver.set_script_timeout(120)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
