// Tables that sort, filter, and can be saved; every text is set as text, so that no name is markup.
const ROWS = 100;
const textOf = (entry) => (Array.isArray(entry) ? entry[0] : entry);
const numberOf = (entry) => (Array.isArray(entry) ? entry[1] : null);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// As in the CSV of an export: no text is taken for a formula by a spreadsheet.
const FORMULA = /^[=+\-@\t\r\n'\uff1d\uff0b\uff0d\uff20]/;
const quoted = (text) => `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

function csvOf(columns, rows) {
  const hasNumber = columns.map((_, c) => rows.some((row) => numberOf(row[c]) !== null));
  const head = columns.flatMap((name, c) => (hasNumber[c] ? [quoted(name), quoted(`${name}: number`)] : [quoted(name)]));
  const lines = rows.map((row) => row.flatMap((entry, c) => (hasNumber[c] ? [quoted(textOf(entry)), numberOf(entry) ?? ""] : [quoted(textOf(entry))])).join(","));
  return [head.join(","), ...lines, ""].join("\r\n");
}

function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  element("a", { href: url, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// What cannot be sorted as a number comes last, whichever way.
function ordered(rows, column, sign) {
  const compare = (a, b) => {
    const [x, y] = [numberOf(a[column]), numberOf(b[column])];
    if (x !== null && y !== null) return sign * (x - y);
    if (x !== null || y !== null) return x !== null ? -1 : 1;
    return sign * textOf(a[column]).localeCompare(textOf(b[column]), undefined, { numeric: true });
  };
  return [...rows].sort(compare);
}

const KINDS = [
  [/^(PASS|faster|ok)\b|\b(faster|better)$/, "good"],
  [/^(FAIL|failed|invalid|refused|slower)\b|\b(slower|worse)$/, "bad"],
  [/^(INCONCLUSIVE|NOT MEASURED|suspect|moved|other conditions)\b|inconclusive/, "doubt"],
];
const kindOf = (text) => KINDS.find(([pattern]) => pattern.test(text))?.[1];

// `told`: name, title, columns, rows, and of cells `ids` (numbers of cells) and `ships`.
function drawTable(holder, told, { onCell = null } = {}) {
  let sorted = { column: -1, sign: 1 };
  let limit = ROWS;
  let words = [];
  const index = new Map(told.rows.map((row, n) => [row, n]));
  const body = element("tbody");
  const count = element("p", { class: "count", role: "status" });
  const more = element("button", { type: "button", on: { click: () => { limit += 10 * ROWS; fill(); } } }, "Show more rows");
  const heads = told.columns.map((name, c) => element("th", { scope: "col", "aria-sort": "none" }, element("button", { type: "button", title: `Sort by ${name}`, on: { click: () => sortBy(c) } }, name)));
  const filter = element("input", { type: "search", autocomplete: "off", on: { input: () => { words = filter.value.toLowerCase().split(/\s+/).filter(Boolean); limit = ROWS; fill(); } } });
  const caption = told.title;
  const tools = element("div", { class: "tools" },
    element("label", {}, "Filter", filter),
    element("button", { type: "button", "aria-label": `Save as CSV: ${caption}`, on: { click: () => save(told.name, csvOf(told.columns, chosen())) } }, "CSV"),
    count);
  const table = element("table", {}, element("caption", {}, caption), element("thead", {}, element("tr", {}, ...heads)), body);
  holder.replaceChildren(tools, element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table), more);

  function chosen() {
    const kept = words.length ? told.rows.filter((row) => { const text = row.map(textOf).join(" ").toLowerCase(); return words.every((word) => text.includes(word)); }) : told.rows;
    return sorted.column < 0 ? kept : ordered(kept, sorted.column, sorted.sign);
  }
  function sortBy(column) {
    sorted = { column, sign: sorted.column === column ? -sorted.sign : 1 };
    heads.forEach((head, c) => head.setAttribute("aria-sort", c !== column ? "none" : sorted.sign > 0 ? "ascending" : "descending"));
    fill();
  }
  function entryOf(entry, c, id) {
    const text = textOf(entry);
    const cell = element("td", { class: Array.isArray(entry) ? "n" : "w", dir: "auto" });
    if (c === told.link && id >= 0 && onCell) cell.append(element("button", { type: "button", class: "link", title: "Show all of this cell", on: { click: () => onCell(id) } }, text));
    else if (kindOf(text)) cell.append(element("span", { class: kindOf(text) }, text));
    else cell.append(text);
    return cell;
  }
  function fill() {
    const rows = chosen();
    body.replaceChildren(...rows.slice(0, limit).map((row) => {
      const id = told.ids ? told.ids[index.get(row)] : -1;
      return element("tr", { class: told.ships?.includes(id) ? "ship" : null }, ...row.map((entry, c) => entryOf(entry, c, id)));
    }));
    more.hidden = rows.length <= limit;
    const shown = Math.min(rows.length, limit);
    count.textContent = `${shown} of ${told.rows.length} rows${shown < rows.length ? `, ${rows.length} match` : ""}`;
  }
  fill();
}
