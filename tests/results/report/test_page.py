"""The page in a real browser: what it shows, asks for, and lets be run."""

import csv
import io
import re

import pytest

from edgebench.results.columns import plain_text
from edgebench.results.report import html
from tests.results.test_export import NAMES

HOSTILE = (
    "float",
    *("<script>window.pwned = 1</script>", "<img src=x onerror='window.pwned = 1'>", "</script>"),
    *(
        "<!--",
        "&lt;b&gt;",
        "<b>bold</b>",
        "%{x}",
        "$x^2$",
        "{{ 7 * 7 }}",
        '"><svg onload=alert(1)>',
    ),
    *(name for name in NAMES if "\ud83d" not in name and "\0" not in name and "\r" not in name),
)
# As for the printer every chart is drawn, and not only what is near the window.
DRAWN = """
dispatchEvent(new Event('beforeprint'));
return charts.every((c) => c.gap.hidden === false || c.plot.querySelector('.main-svg'));
"""


@pytest.fixture
def page(tmp_path, digest_run):
    """Two runs of two boards."""
    html.write(
        [digest_run("r1"), digest_run("r2", created="2026-02-01T00:00:00+00:00", factor=1.3)],
        tmp_path / "report.html",
        with_trend=True,
    )
    return tmp_path / "report.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_it_is_whole_quiet_accessible_and_no_wider_than_its_window(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    browser.wait(DRAWN)
    assert browser.run("return charts.map((c) => c.told.name)") == [
        *("trend", "trade", "heat", "across", "spread", "course", "memory", "operations", "steps")
    ]
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.run(
        "return [...document.querySelectorAll('.plot .main-svg')]"
        ".every((svg) => svg.getBoundingClientRect().right <= innerWidth)"
    )
    assert browser.violations() == []
    assert (browser.said(), browser.asked()) == ([], [])


def test_the_first_screen_answers(browser, page):
    browser.open(page, width=1280, height=800)
    told = browser.run(
        "return [...document.querySelectorAll('.card')].filter((card) => "
        "card.getBoundingClientRect().bottom <= innerHeight).map((card) => card.innerText)"
    )
    assert told
    assert told[0].startswith("board: ship int8 (tflite)")
    assert "How sure:" in told[0]


def column(browser, name, table="t-cells"):
    """The texts of a column, as they stand on the page."""
    return browser.run(
        "const t = document.getElementById(arguments[0]);"
        "const c = [...t.querySelectorAll('th')].findIndex((h) => h.innerText === arguments[1]);"
        "return [...t.querySelectorAll('tbody tr')].map((row) => row.cells[c].textContent);",
        table,
        name,
    )


def test_a_table_sorts_by_numbers_both_ways_and_says_so(browser, page):
    browser.open(page)
    click = (
        "const t = document.getElementById('t-cells');"
        "const h = [...t.querySelectorAll('th')].find((h) => h.innerText === 'p50 ms');"
        "h.querySelector('button').click(); return h.ariaSort;"
    )
    assert browser.run(click) == "ascending"
    rising = [float(text.split()[0]) for text in column(browser, "p50 ms") if text[0] != "—"]
    assert rising == sorted(rising)
    assert browser.run(click) == "descending"
    falling = column(browser, "p50 ms")
    assert [float(text.split()[0]) for text in falling if text[0] != "—"] == rising[::-1]
    assert [text[0] for text in falling[-4:]] == ["—"] * 4, "what has no number comes last"


def test_a_table_filters_by_every_word(browser, page):
    browser.open(page)
    browser.run(
        "const input = document.querySelector('#t-cells input');"
        "input.value = 'INT8 pi5'; input.dispatchEvent(new Event('input'));"
    )
    assert column(browser, "variant") == ["int8", "int8"]
    assert column(browser, "device") == ["pi5", "pi5"]
    told = browser.run("return document.querySelector('#t-cells .count').textContent")
    assert told == "2 of 16 rows"


def test_a_click_on_a_point_shows_its_numbers_and_leads_to_all_of_it(browser, page):
    browser.open(page)
    browser.wait("return document.querySelector('#f-trade .points path')")
    x, y = browser.run(
        "const points = [...document.querySelectorAll('#f-trade .points path')];"
        "const box = points.at(-1).getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2];"
    )
    browser.click(x, y)
    browser.wait("return document.querySelector('#f-trade .numbers dl')")
    told = browser.run("return document.querySelector('#f-trade .numbers').innerText").splitlines()
    assert told[told.index("variant") + 1] == "int8"
    assert re.fullmatch(r"0\.65\d ±.* %", told[told.index("p50 ms") + 1])
    browser.run("charts[0].onCell(2); document.querySelector('#f-trade .numbers button').click()")
    assert browser.run("return chosen.selectedIndex") == 1


def test_the_switch_of_colours_goes_over_the_system(browser, page):
    ground = "return getComputedStyle(document.body).backgroundColor"
    browser.open(page, dark=True)
    assert browser.run(ground) == "rgb(18, 22, 28)"
    browser.run("theme.value = 'light'; theme.dispatchEvent(new Event('change'))")
    assert browser.run(ground) == "rgb(255, 255, 255)"
    browser.run("theme.value = 'auto'; theme.dispatchEvent(new Event('change'))")
    assert browser.run(ground) == "rgb(18, 22, 28)"


def test_names_are_shown_as_they_are_and_never_run(browser, tmp_path, digest_run):
    html.write([digest_run("<script>r</script>", HOSTILE)], tmp_path / "report.html")
    browser.open(tmp_path / "report.html", width=360)
    browser.wait(DRAWN)
    shown = [plain_text(name) for name in HOSTILE]
    assert column(browser, "variant")[: len(HOSTILE)] == shown
    options = browser.run("return [...chosen.options].map((option) => option.textContent)")
    assert options[: len(HOSTILE)] == [f"{name} (tflite)" for name in shown]
    assert browser.run("return [window.pwned ?? null, document.images.length]") == [None, 0]
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert (browser.said(), browser.asked()) == ([], [])


def test_a_saved_table_holds_all_names_and_no_formula(browser, tmp_path, digest_run):
    html.write([digest_run("r", HOSTILE)], tmp_path / "report.html")
    browser.open(tmp_path / "report.html")
    text = browser.run("return csvOf(cells.columns, cells.rows)")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    told = [row["variant"] for row in rows[: len(HOSTILE)]]
    assert [cell for cell in told if cell.startswith(("=", "+", "-", "@", "\t", "\n", "＝"))] == []  # noqa: RUF001
    assert [cell.removeprefix("'") for cell in told] == [plain_text(name) for name in HOSTILE]


def test_the_data_holds_no_markup_and_the_policy_names_both_scripts(tmp_path, digest_run):
    html.write([digest_run("r", HOSTILE)], tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    (data,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL
    )
    assert re.search("[<>&]", data) is None
    assert len(re.findall(r"'sha256-[^']+'", text[:2000])) == text.count("<script>") == 2
    assert len(text.encode()) < 15e6
