"""JUnit XML, as Jenkins, GitLab and GitHub's actions read it.

A device is a `testsuite`, a case a `testcase`: `failure` where it ends with exit code 1, `error`
where with 3, so that what is red in a pipeline is red in its report; `skipped` where there was
nothing to judge. Elements and attributes are those of Jenkins' schema (`junit-10.xsd` of
https://github.com/jenkinsci/xunit-plugin).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from edgebench.results.files import written
from edgebench.results.gates import Case, Mark, Report

# By mark, the element below a `testcase`, and the attribute of a `testsuite` that counts them.
ELEMENTS: Final = {Mark.FAILED: "failure", Mark.OPEN: "error", Mark.ASIDE: "skipped"}
COUNTERS: Final = {Mark.FAILED: "failures", Mark.OPEN: "errors", Mark.ASIDE: "skipped"}
# What XML 1.0 cannot hold, not even as a reference: https://www.w3.org/TR/xml/#charsets
NO_CHARACTER: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: Report, path: Path) -> None:
    """Write the file.

    Raises:
        NotDone: It cannot be written.
    """
    root = ET.Element("testsuites", name=in_xml(f"edgebench {report.command}"), time="0")
    root.attrib |= _counted(report.cases, ("failures", "errors"))
    for device in dict.fromkeys(case.device for case in report.cases):
        cases = [case for case in report.cases if case.device == device]
        root.append(_suite(device, cases, report))
    ET.indent(root)
    buffer = BytesIO()
    ET.ElementTree(root).write(buffer, encoding="utf-8", xml_declaration=True)
    with written(path) as file:
        file.write(buffer.getvalue() + b"\n")


def in_xml(text: str) -> str:
    r"""The text with what XML cannot hold replaced by U+FFFD.

    >>> in_xml("a\0b\x1b") == "a\ufffdb\ufffd"
    True
    """
    return NO_CHARACTER.sub("\ufffd", text)


def _suite(device: str, cases: Sequence[Case], report: Report) -> ET.Element:
    # Judging takes no time that is worth telling; a reader of the file needs a number all the same.
    suite = ET.Element("testsuite", name=in_xml(device), time="0")
    suite.attrib |= _counted(cases, ("failures", "errors", "skipped"))
    if (stamp := _stamp(report.created)) is not None:
        suite.set("timestamp", stamp)
    properties = ET.SubElement(suite, "properties")
    told = {"run": report.title, **{f"differs.{n}": note for n, note in enumerate(report.notes)}}
    for name, value in told.items():
        ET.SubElement(properties, "property", name=name, value=in_xml(value))
    for case in cases:
        suite.append(_testcase(case, report.command))
    return suite


def _counted(cases: Sequence[Case], names: Sequence[str]) -> dict[str, str]:
    marks = [case.mark for case in cases]
    counts = {name: marks.count(mark) for mark, name in COUNTERS.items() if name in names}
    return {"tests": str(len(cases)), **{name: str(count) for name, count in counts.items()}}


def _testcase(case: Case, command: str) -> ET.Element:
    # Jenkins takes all up to the last dot for a package.
    place = in_xml(case.device).replace(".", "_")
    name = in_xml(f"{case.subject} {case.what}")
    element = ET.Element("testcase", classname=f"edgebench.{command}.{place}", name=name, time="0")
    told = in_xml("\n".join((f"{case.what}: {case.verdict}: {case.value}", *case.words)))
    if case.mark in ELEMENTS:
        message = in_xml(f"{case.verdict}: {case.value}; {case.said}".removesuffix("; "))
        attributes = {"message": message, "type": in_xml(case.verdict)}
        ET.SubElement(element, ELEMENTS[case.mark], attributes).text = told
    else:
        ET.SubElement(element, "system-out").text = told
    return element


def _stamp(created: str) -> str | None:
    """ISO 8601 in UTC, without the zone that readers of JUnit files do not expect."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
