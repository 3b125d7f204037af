"""One row a cell, every number with its interval, every gap with its reason."""

from dataclasses import replace

from edgebench.core import Reason, Status
from edgebench.results.cells import read_cells
from edgebench.results.tables import (
    COLUMNS,
    markdown,
    readable_rows,
    remedies,
    trouble,
)


def cells(spec_of, recorded_of):
    good, wrong, open_cell = spec_of("float"), spec_of("int8"), spec_of("int4")
    recorded = {
        good.key: recorded_of(good, [1.0, 1.1, 1.0], scores=[1, 1, 0, 1]),
        wrong.key: recorded_of(
            wrong,
            [0.1, 0.1],
            status=Status.INVALID,
            reasons=(Reason.WRONG_OUTPUT,),
            error="cosine 0.1",
        ),
    }
    return read_cells([good, wrong, open_cell], recorded, margin_ratio=0.05, ci_ratio=0.2)


def test_a_row_has_every_column(spec_of, recorded_of):
    rows = readable_rows(cells(spec_of, recorded_of))
    assert [tuple(row) for row in rows] == [COLUMNS] * 3
    assert rows[0]["p50 ms"] == "1.03 ±14 %"
    assert rows[0]["vs reference"] == "reference"
    assert [row["p50 ms"] for row in rows[1:]] == ["—", "—"]
    assert [row["status"] for row in rows] == [
        "ok",
        "invalid: wrong_output",
        "failed: not_measured",
    ]


def test_the_words_behind_a_gap_stand_below(spec_of, recorded_of):
    assert trouble(cells(spec_of, recorded_of)) == ["int8 (tflite, board): cosine 0.1"]


def test_markdown_is_a_table_that_renders(spec_of, recorded_of):
    text = markdown(cells(spec_of, recorded_of), (), (), run="r1")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3
    assert len({line.count("|") for line in lines}) == 1


def test_a_gap_shows_its_own_reason_and_a_hidden_cell_none(spec_of, recorded_of):
    rows = readable_rows(cells(spec_of, recorded_of))
    assert [row["accuracy %"] for row in rows[1:]] == ["—", "—"]
    assert [row["vs reference"] for row in rows[1:]] == ["—", "—"]
    alone = spec_of("int8", reference=None)
    recorded = recorded_of(alone, [1.0, 1.0], missing={"accuracy": Reason.NO_DATA})
    short = replace(recorded, samples={b: ns[:20] for b, ns in recorded.samples.items()})
    (row,) = readable_rows(read_cells([alone], {alone.key: short}, margin_ratio=0.05, ci_ratio=0.2))
    assert row["p90 ms"] == "— percentile_n"
    assert row["accuracy %"] == "— no_data"
    assert row["vs reference"] == "— no_reference"
    assert row["drop"] == "—"


def test_every_reason_in_the_table_has_its_remedy_once(cells_of, spec_of, recorded_of):
    specs = [spec_of("float"), spec_of("int8")]
    pairs = [(spec, recorded_of(spec, [1.0], reasons=(Reason.CONTENDED,))) for spec in specs]
    told = remedies(cells_of(*pairs))
    assert [line.partition(":")[0] for line in told] == ["contended", "too_few_samples"]
