"""JUnit XML that Jenkins takes, and Markdown that renders, whatever the names are."""

import re
from xml.etree import ElementTree as ET

import pytest

from edgebench.errors import NotDone
from edgebench.results.gates import Case, Mark, Report
from edgebench.results.writers import junit, verdicts
from tests.results.test_export import NAMES

HOSTILE = (
    *NAMES,
    *("<script>alert(1)</script>", "]]>", "<!-- -->", "&amp;&#0;", "\x00\x01\x08\x0b\x1f\x7f\x85"),
    *("\x1b[31mred\x1b[0m", "\ufffe\uffff", "\udc80", "a\u2028b", "  two  spaces  "),
)

# Jenkins' schema, junit-10.xsd of its xunit plugin: by element, the attributes it must and may
# have, and the elements it may hold; those that are not named here edgebench never writes.
SCHEMA = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    **dict.fromkeys(("failure", "error", "skipped"), (set(), {"type", "message"}, set())),
    "system-out": (set(), set(), set()),
}
SUREFIRE_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def case(subject="int8 (onnx)", mark=Mark.PASSED, **more):
    fields = {
        "device": "pi5",
        "what": "latency_p90_ms <= 12",
        "value": "9 [8, 10]",
        "verdict": "PASS",
        "words": (),
    }
    return Case(subject=subject, mark=mark, **{**fields, **more})


def report(*cases, **more):
    fields = {"command": "validate", "title": "results/r", "created": "2026-01-02T03:04:05+02:00"}
    return Report(cases=cases, **{**fields, **more})


def written(report, tmp_path):
    junit.write(report, tmp_path / "x.xml")
    return ET.fromstring((tmp_path / "x.xml").read_bytes())


def faults(element):
    """Where an element breaks the schema."""
    must, may, holds = SCHEMA[element.tag]
    names = set(element.attrib)
    found = [f"{element.tag} lacks {name}" for name in must - names]
    found += [f"{element.tag} has {name}" for name in names - must - may]
    found += [f"{child.tag} in {element.tag}" for child in element if child.tag not in holds]
    if element.tag in {"testsuites", "testsuite"} and not SUREFIRE_TIME.fullmatch(
        element.get("time")
    ):
        found.append(f"time of {element.tag}")
    return [*found, *(fault for child in element if child.tag in SCHEMA for fault in faults(child))]


MIXED = (
    case(),
    case(mark=Mark.FAILED, verdict="FAIL", words=("it is above.", "nearest: none")),
    case(mark=Mark.OPEN, verdict="INCONCLUSIVE", device="orin"),
    case(mark=Mark.OPEN, verdict="NOT MEASURED"),
    case(mark=Mark.ASIDE, verdict="new"),
)


def test_what_is_written_follows_the_schema_of_jenkins(tmp_path):
    assert faults(written(report(*MIXED, notes=("a differs",)), tmp_path)) == []


def test_what_is_red_in_the_pipeline_is_red_in_the_report(tmp_path):
    root = written(report(*MIXED), tmp_path)
    below = [[child.tag for child in element] for element in root.iter("testcase")]
    assert below == [["system-out"], ["failure"], ["error"], ["skipped"], ["error"]]
    assert {k: root.get(k) for k in ("tests", "failures", "errors")} == {
        **{"tests": "5", "failures": "1", "errors": "2"}
    }
    counted = [
        tuple(suite.get(k) for k in ("name", "tests", "failures", "errors", "skipped"))
        for suite in root
    ]
    assert counted == [("pi5", "4", "1", "1", "1"), ("orin", "1", "0", "1", "0")]


def test_a_failure_says_what_was_measured_and_why(tmp_path):
    (failure,) = written(report(*MIXED), tmp_path).iter("failure")
    assert failure.get("type") == "FAIL"
    assert failure.get("message") == "FAIL: 9 [8, 10]; it is above; nearest: none"
    assert failure.text.splitlines() == [
        *("latency_p90_ms <= 12: FAIL: 9 [8, 10]", "it is above.", "nearest: none")
    ]


def test_a_suite_knows_when_and_in_what_surroundings(tmp_path):
    root = written(report(case(), notes=("pi5: litert: 2.3 -> 2.4",)), tmp_path)
    assert root[0].get("timestamp") == "2026-01-02T01:04:05"
    told = {p.get("name"): p.get("value") for p in root.iter("property")}
    assert told == {"run": "results/r", "differs.0": "pi5: litert: 2.3 -> 2.4"}


def test_a_device_is_no_package(tmp_path):
    root = written(report(case(device="ssh://pi@192.0.2.7")), tmp_path)
    (element,) = root.iter("testcase")
    assert element.get("classname") == "edgebench.validate.ssh://pi@192_0_2_7"
    assert root[0].get("name") == "ssh://pi@192.0.2.7"


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_every_name_comes_back_but_for_what_xml_cannot_hold(tmp_path, name):
    hostile = case(
        name, mark=Mark.FAILED, device=name, verdict=name, what=name, value=name, words=(name,)
    )
    root = written(report(hostile, title=name, notes=(name,)), tmp_path)
    assert faults(root) == []
    (suite,), (failure,) = root, root.iter("failure")
    shown = junit.in_xml(name)
    assert suite.get("name") == shown
    assert failure.get("type") == shown
    (element,) = root.iter("testcase")
    assert element.get("name") == f"{shown} {shown}"
    assert "<script>" not in (tmp_path / "x.xml").read_text(encoding="utf-8")


def test_a_character_is_replaced_and_none_is_lost():
    assert junit.in_xml("a\x00b\x1fc\ud800d\tж🙂\n") == "a�b�c�d\tж🙂\n"


def test_a_report_without_cases_is_a_file_all_the_same(tmp_path):
    root = written(report(command="compare"), tmp_path)
    assert (root.get("tests"), list(root), faults(root)) == ("0", [], [])


@pytest.mark.parametrize("write", [junit.write, verdicts.write], ids=["junit", "md"])
def test_what_cannot_be_written_says_so(tmp_path, write):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotDone, match="cannot be written"):
        write(report(case()), tmp_path / "file" / "x")


def markdown(report, tmp_path):
    verdicts.write(report, tmp_path / "x.md")
    return (tmp_path / "x.md").read_text(encoding="utf-8")


def test_markdown_has_the_verdict_first_and_what_passed_folded(tmp_path):
    text = markdown(report(*MIXED, notes=("pi5: litert: 2.3 -> 2.4",)), tmp_path)
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == (
        "## edgebench validate: a target fails: "
        "1 FAIL, 1 INCONCLUSIVE, 1 NOT MEASURED, 1 PASS, 1 new"
    )
    assert lines[2] == "- differs: pi5: litert: 2.3 -> 2.4"
    order = [text.index(word) for word in ("| FAIL", "| INCONCLUSIVE", "<details>", "| PASS")]
    assert order == sorted(order)


def test_markdown_of_what_passes_has_nothing_to_be_looked_at(tmp_path):
    text = markdown(report(case()), tmp_path)
    assert text.startswith("## edgebench validate: every target holds: 1 PASS\n")
    assert text.index("<details>") < text.index("| verdict")


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_name_breaks_a_table_or_becomes_markup(tmp_path, name):
    hostile = case(name, mark=Mark.FAILED, device=name, what=name, value=name, words=(name,))
    text = markdown(report(hostile, title=name, notes=(name,)), tmp_path)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert re.search(r"(?<!\\)<script", text) is None


def test_a_gate_ends_with_the_worst_of_its_cases():
    codes = {mark: report(case(mark=mark), case()).exit_code for mark in Mark}
    assert codes == {Mark.FAILED: 1, Mark.OPEN: 3, Mark.PASSED: 0, Mark.ASIDE: 0}
