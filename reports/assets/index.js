// The list of runs: search, filter, sort, and two of them side by side.

const byId = (id) => document.getElementById(id);
const runs = byId("runs");

function cell(row, column) {
  return row.querySelector(`[data-of="${column}"]`).textContent.replace(/[✓✗?]/g, "").trim();
}

function passes(row) {
  const text = row.textContent.toLowerCase();
  if (!byId("search").value.toLowerCase().split(/\s+/).every((word) => text.includes(word))) return false;
  if (cell(row, "run") < byId("since").value.trim()) return false;
  return [...document.querySelectorAll("[data-column]")].every((one) => !one.value || cell(row, one.dataset.column) === one.value);
}

function filter() {
  const rows = [...runs.tBodies[0].rows];
  let count = 0;
  for (const row of rows) {
    row.hidden = !passes(row);
    count += row.hidden ? 0 : 1;
  }
  byId("count").textContent = count === rows.length ? "" : `${count} of ${rows.length} runs`;
}

function sort(button) {
  const head = button.closest("th");
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const one of runs.tHead.querySelectorAll("[aria-sort]")) one.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const collator = new Intl.Collator("en", { numeric: true });
  const sign = descending ? -1 : 1;
  const rows = [...runs.tBodies[0].rows];
  rows.sort((a, b) => sign * collator.compare(cell(a, button.dataset.sort), cell(b, button.dataset.sort)));
  runs.tBodies[0].append(...rows);
}

function made(name, text, attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// What the runs differ in, one line per fact, and how many facts are the same.
function compare() {
  const pane = byId("comparison");
  const chosen = [...runs.querySelectorAll(".compare:checked")];
  for (const one of runs.querySelectorAll(".compare")) one.disabled = chosen.length === 2 && !one.checked;
  pane.hidden = chosen.length !== 2;
  if (pane.hidden) return;
  const rows = chosen.map((one) => one.closest("tr"));
  const told = JSON.parse(byId("told").textContent);
  const [first, second] = rows.map((row) => told[Number(row.dataset.number)]);
  const names = [...new Set([...Object.keys(first), ...Object.keys(second)])];
  const different = names.filter((name) => first[name] !== second[name]);
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const text of ["", ...rows.map((row) => `${cell(row, "workload")} ${cell(row, "run")}`)]) head.append(made("th", text, { scope: "col" }));
  const body = table.createTBody();
  for (const name of different) {
    const line = body.insertRow();
    line.append(made("th", name, { scope: "row" }), made("td", first[name] ?? "–"), made("td", second[name] ?? "–"));
  }
  table.prepend(made("caption", `${different.length} facts differ, ${names.length - different.length} are the same`));
  pane.replaceChildren(table);
}

if (runs) {
  byId("filters").addEventListener("input", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(filter));
  for (const button of runs.querySelectorAll(".sort")) button.addEventListener("click", () => sort(button));
  runs.addEventListener("change", compare);
}
document.documentElement.dataset.complete = "yes";
