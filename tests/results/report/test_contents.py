"""Which cells count, and why a chart is not there."""

from dataclasses import replace

from edgebench.results.report.answer import card_of
from edgebench.results.report.contents import LABEL, contents_of
from edgebench.results.report.figures import FIGURES, figures_of
from edgebench.results.report.grids import gaps_grid, grids_of


def test_the_newest_run_of_a_place_counts(digest_run):
    old = digest_run("old")
    new = digest_run("new", created="2026-02-01T00:00:00+00:00")
    half = replace(new, cells=tuple(c for c in new.cells if c.text("device") == "pi5"))
    told = contents_of([old, half])
    assert [(here.title, here.run.name) for here in told.places] == [
        ("pi5", "new"),
        ("board", "old"),
    ]


def test_a_model_on_a_device_is_a_place_of_its_own(digest_run):
    one = digest_run("one")
    told = contents_of([one, replace(digest_run("two"), models="other")])
    assert {here.title for here in told.places} == {
        *("board, models/net.keras", "pi5, models/net.keras", "board, other", "pi5, other")
    }


def test_the_card_says_what_to_ship_with_numbers_targets_and_doubt(digest_run):
    card = card_of(contents_of([digest_run()]).places[0])
    assert card.name == "int8 (tflite)"
    assert card.why.startswith("Because: p50 0.502 ms [")
    tiles = {tile.label: (tile.value, tile.range) for tile in card.tiles}
    assert tiles["time, of the reference"] == ("0.5x", "[0.5, 0.5] faster")
    assert tiles["size"] == ("200.0 kB", "0.5x the reference")
    assert [line.label for line in card.lines] == ["Targets that hold:", "How sure:"]
    held = card.lines[0].text
    assert held == "latency_p50_ms ≤ 0.8, accuracy_drop_points ≤ 1."


def test_where_nothing_holds_the_card_says_so(digest_run):
    run = digest_run()
    none = replace(run, advice=tuple(replace(a, key=None) for a in run.advice))
    card = card_of(contents_of([none]).places[0])
    assert (card.name, card.tiles) == (None, ())
    assert card.lines[0].kind == "bad"


def test_of_bench_nothing_is_advised(digest_run):
    card = card_of(contents_of([replace(digest_run(), command="bench", advice=())]).places[0])
    assert card.name is None
    assert "only a plan says" in card.why


def test_every_chart_is_drawn_or_says_why_not(digest_run):
    told = contents_of([digest_run()])
    figures = {figure.name: figure for figure in figures_of(told, with_trend=True)}
    assert len(figures) == len(FIGURES) + 1
    assert {name: figure.gap for name, figure in figures.items() if figure.gap} == {
        "trend": "No model has two runs on a device",
        "energy": "No energy on board: no_sensor: Attach a meter, or use a board that has one of "
        "its own.",
    }
    for figure in figures.values():
        for view in figure.views.values():
            assert view.gap or (view.alt and view.traces and view.rows)


def test_without_labels_accuracy_is_left_out_with_its_reason(digest_run):
    run = digest_run()
    blind = [
        replace(
            cell,
            is_share=None,
            columns={
                **{k: v for k, v in cell.columns.items() if not k.startswith("accuracy")},
                "missing": "accuracy=no_data",
            },
        )
        for cell in run.cells
    ]
    told = contents_of([replace(run, cells=tuple(blind))])
    trade = figures_of(told, with_trend=False)[0]
    assert trade.gap is not None
    assert trade.gap.startswith("No accuracy on board: no_data: ")


def test_a_point_within_the_noise_of_another_is_no_step_of_the_front(digest_run):
    view = figures_of(contents_of([digest_run()]), with_trend=False)[0].views["0/0"]
    assert [(row[0], row[3]) for row in view.rows] == [
        ("float (tflite)", "behind int8 (tflite)"),
        ("int8 (tflite)", "on the front"),
        ("pruned (tflite)", "behind int8 (tflite)"),
    ]


def test_what_is_missing_stands_with_reason_words_and_remedy(digest_run):
    rows = [[*row] for row in gaps_grid(contents_of([digest_run()])).rows]
    assert ["variant tucker.tflite", "r1", "no_effect", "nothing to factor"] in [
        r[:4] for r in rows
    ]
    wrong = next(row for row in rows if row[0] == "all numbers of wrong (tflite)")
    assert wrong[2:4] == ["invalid: wrong_output", "cosine 0.1 <b>bold</b>"]
    assert all(row[4] for row in rows)
    energy = next(row for row in rows if str(row[0]).startswith("energy of"))
    assert energy[:3] == ["energy of 3 of 4 cells", "board", "no_sensor"]


def test_every_row_of_a_table_has_all_its_columns(digest_run):
    for grid in grids_of(contents_of([digest_run("a"), digest_run("b")])):
        assert grid.rows
        assert {len(row) for row in grid.rows} == {len(grid.columns)}


def test_a_trend_marks_what_moved(digest_run):
    runs = [
        digest_run(f"r{n}", created=f"2026-0{n + 1}-01T00:00:00+00:00", factor=factor)
        for n, factor in enumerate((1.0, 1.01, 1.3))
    ]
    view = figures_of(contents_of(runs), with_trend=True)[0].views["0/0"]
    assert [(row[0], row[1]) for row in view.rows] == [
        (f"{name} (tflite)", "r2") for name in ("float", "int8", "pruned")
    ]
    assert all(str(row[4]).startswith("moved up +30") for row in view.rows)
    assert [t["name"] for t in view.traces][-1] == "moved"


def test_two_names_that_begin_alike_stay_two_ticks(digest_run):
    names = ("float", "x" * 200, "x" * 201)
    told = contents_of([digest_run("r", names)])
    heat = next(f for f in figures_of(told, with_trend=False) if f.name == "heat")
    ticks = heat.views[""].layout["yaxis"]
    assert ticks["tickvals"] == [0, 1, 2]
    assert max(map(len, ticks["ticktext"])) <= LABEL
