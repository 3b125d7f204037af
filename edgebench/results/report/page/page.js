// The page: reads its data, draws what is looked at.
const data = JSON.parse(document.getElementById("data").textContent);
const cells = data.tables.find((table) => table.name === "cells");
const rowOfCell = new Map(cells.ids.map((id, n) => [id, n]));
const chosen = document.getElementById("chosen");

function numbersOf(number) {
  const row = cells.rows[rowOfCell.get(number)];
  const pairs = cells.columns.map((name, c) => element("div", {}, element("dt", {}, name), element("dd", { dir: "auto" }, textOf(row[c]))));
  return element("dl", {}, ...pairs);
}

function choose(number, { jump = true } = {}) {
  chosen.selectedIndex = number;
  document.getElementById("numbers").replaceChildren(numbersOf(number));
  for (const chart of charts) {
    if (!chart.told.is_of_cell) continue;
    chart.cell = number;
    chart.draw();
  }
  if (jump) { document.getElementById("cell").scrollIntoView(); chosen.focus({ preventScroll: true }); }
}

const charts = data.figures.map((told) => new Chart(document.getElementById(`f-${told.name}`), told, { onCell: choose, numbersOf }));
for (const table of data.tables) {
  const holder = document.getElementById(`t-${table.name}`);
  if (table.rows.length) drawTable(holder, table, { onCell: choose });
  else holder.append(element("p", { class: "gap" }, table.gap));
}

if (chosen) {
  for (const group of data.groups) chosen.append(element("optgroup", { label: group.label }, ...group.options.map((name) => element("option", {}, name))));
  chosen.addEventListener("change", () => choose(chosen.selectedIndex, { jump: false }));
  choose(data.chosen, { jump: false });
}

// A chart is drawn when it comes near the window.
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    const chart = isIntersecting && charts.find((one) => one.holder === target);
    if (chart && !chart.isSeen) { chart.isSeen = true; chart.draw(); }
  }
}, { rootMargin: "400px" });
charts.forEach((chart) => watcher.observe(chart.holder));

const theme = document.getElementById("theme");
const KEPT = "edgebench-theme";
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  charts.forEach((chart) => chart.draw());
}
// A file that is opened from disk may not be let at the storage.
try { theme.value = localStorage.getItem(KEPT) ?? "auto"; } catch { theme.value = "auto"; }
if (theme.selectedIndex < 0) theme.value = "auto";
setTheme(theme.value);
theme.addEventListener("change", () => {
  setTheme(theme.value);
  try { localStorage.setItem(KEPT, theme.value); } catch { /* the choice lasts as long as the page */ }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(theme.value));
document.getElementById("print").addEventListener("click", () => window.print());
addEventListener("beforeprint", () => charts.forEach((chart) => { chart.isSeen = true; chart.draw(); }));
