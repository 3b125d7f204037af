"""The Markdown of a report: verdicts first, and no name that is markup."""

import re

import pytest

from edgebench.errors import NotDone
from edgebench.results.report import brief, html
from tests.results.test_gate_reports import HOSTILE


def written(runs, tmp_path, **more):
    brief.write(runs, tmp_path / "x.md", **more)
    return (tmp_path / "x.md").read_text("utf-8")


def test_the_answer_and_what_does_not_hold_come_before_all_else(digest_run, tmp_path):
    lines = written([digest_run()], tmp_path).splitlines()
    assert lines[0] == "## edgebench: what to ship"
    assert lines[2].startswith("- **board**: ship **int8 (tflite)**. Because: p50 0.502 ms [")
    order = [n for n, line in enumerate(lines) if "targets hold." in line or "<details>" in line]
    assert lines[order[0]] == "8 of 16 targets hold."
    assert "| FAIL" in "\n".join(lines[order[0] : order[1]])
    assert "| PASS" not in "\n".join(lines)


def test_with_a_trend_it_says_what_moved(digest_run, tmp_path):
    runs = [
        digest_run("a"),
        digest_run("b", created="2026-02-01T00:00:00+00:00", factor=1.3),
    ]
    text = written(runs, tmp_path, with_trend=True)
    assert "### Over 2 runs" in text
    assert "moved up +30.0 %" in text
    assert "No interval moved." in written([runs[0], runs[0]], tmp_path, with_trend=True)


def test_no_name_breaks_a_table_or_becomes_markup(digest_run, tmp_path):
    text = written([digest_run("<script>", ("float", *HOSTILE))], tmp_path, with_trend=True)
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
    assert re.search(r"(?<!\\)<(?!/?(?:details|summary)>)", text) is None


@pytest.mark.parametrize("write", [brief.write, html.write], ids=["md", "html"])
def test_what_cannot_be_written_says_so(digest_run, tmp_path, write):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotDone, match="cannot be written"):
        write([digest_run()], tmp_path / "file" / "x")
