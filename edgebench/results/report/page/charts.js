// Charts: what plotly draws of the views in the data, in the colours of the page.
const CONFIG = { responsive: true, displaylogo: false, showLink: false, showSendToCloud: false, modeBarButtons: [["toImage", "resetScale2d"]] };
const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axisOf(told = {}) {
  const grid = variable("--line");
  return { gridcolor: grid, linecolor: grid, zerolinecolor: grid, automargin: true, ...told, title: { standoff: 6, ...told.title } };
}

function layoutOf(view, width) {
  const told = view.layout;
  const axes = Object.fromEntries(["xaxis", "yaxis", "yaxis2"].filter((name) => told[name] || name !== "yaxis2").map((name) => [name, axisOf(told[name])]));
  return {
    height: 400, hovermode: "closest", dragmode: width < 600 ? false : "zoom",
    ...told, ...axes,
    annotations: (told.annotations ?? []).map((note) => ({ ...note, font: { color: variable("--doubt"), size: 12 } })),
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: variable("--text"), family: "system-ui, Liberation Sans, DejaVu Sans, sans-serif", size: 12 },
    margin: { l: 48, r: 14, t: 26, b: 44, ...told.margin },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: variable("--soft"), activecolor: variable("--link") },
    hoverlabel: { bgcolor: variable("--card"), bordercolor: variable("--line"), font: { color: variable("--text") } },
  };
}

// On a narrow page names beside points would lie over each other: a click shows them.
const tracesOf = (view, width) => view.traces.map((trace) => (width < 600 && trace.mode === "markers+text" ? { ...trace, mode: "markers" } : trace));

class Chart {
  constructor(holder, told, { onCell, numbersOf }) {
    Object.assign(this, { holder, told, onCell, numbersOf, isSeen: false });
    this.picked = told.choices.map(() => 0);
    this.cell = 0;
    this.plot = element("div", { class: "plot", role: "group" });
    this.gap = element("p", { class: "gap", hidden: true });
    this.numbers = element("div", { class: "numbers", role: "status" });
    this.table = element("div", { class: "table" });
    this.beside = element("details", {}, element("summary", {}, "The same as a table"), this.table);
    this.beside.addEventListener("toggle", () => this.fill());
    holder.append(element("div", { class: "choices" }, ...told.choices.map((choice, c) => this.selectOf(choice, c))), this.gap, this.plot, this.numbers, this.beside);
  }
  selectOf(choice, c) {
    const select = element("select", { on: { change: () => { this.picked[c] = select.selectedIndex; this.draw(); } } }, ...choice.options.map((name) => element("option", {}, name)));
    const label = element("label", {}, choice.label, select);
    label.hidden = choice.options.length < 2;
    return label;
  }
  get view() {
    return this.told.views[this.told.is_of_cell ? String(this.cell) : this.picked.join("/")];
  }
  draw() {
    if (!this.isSeen) return;
    const view = this.view;
    const isGap = !view || view.gap;
    this.gap.hidden = !isGap;
    this.gap.textContent = isGap ? `Left out. ${view?.gap ?? "Nothing of this was measured"}` : "";
    this.plot.hidden = this.beside.hidden = Boolean(isGap);
    this.numbers.replaceChildren();
    if (isGap) return;
    this.plot.setAttribute("aria-label", view.alt);
    this.plot.style.maxWidth = view.width_max_px ? `${view.width_max_px}px` : "";
    const width = this.plot.clientWidth;
    Plotly.react(this.plot, structuredClone(tracesOf(view, width)), structuredClone(layoutOf(view, width)), CONFIG);
    this.plot.removeAllListeners("plotly_click");
    this.plot.on("plotly_click", (event) => this.show(event.points[0]?.customdata));
    this.fill();
  }
  fill() {
    const view = this.view;
    if (this.beside.open && view && !view.gap) drawTable(this.table, { name: this.told.name, title: this.told.title, columns: view.columns, rows: view.rows });
  }
  show(number) {
    if (!Number.isInteger(number)) return;
    this.numbers.replaceChildren(this.numbersOf(number), element("button", { type: "button", on: { click: () => this.onCell(number) } }, "All of this cell"));
  }
}
