// What stands in words beside the picture: tooltip, the chosen operation, the table, the logs. All text
// of a run goes into the page as text nodes: nothing of it is ever markup.

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  for (const child of children) if (child !== null && child !== "") made.append(child);
  return made;
}

const bdi = (text) => element("bdi", {}, String(text));

function said(op) {
  return op.outcome === "ok" ? op.value || op.argument : op.error || op.argument;
}

function tooltipLines(run, found) {
  if (found.mark) return [found.mark.text, timeText(found.mark.time_us, 1000)];
  if (found.fault) {
    const { fault } = found;
    const until = fault.end === null ? "the end" : timeText(fault.end, 1000);
    return [`fault ${fault.number}: ${fault.kind} of ${fault.nodes.join(", ") || "nobody"}`,
      `${timeText(fault.begin, 1000)} to ${until}`, fault.arguments,
      fault.landed ? fault.evidence : `without effect: ${fault.evidence}`];
  }
  const op = opFields(run, found.row);
  return [`op ${op.index}: ${op.f}${op.key ? ` [${op.key}]` : ""} by process ${op.process}${op.node ? ` on ${op.node}` : ""}`,
    `${op.outcome}${op.error ? `: ${op.error}` : ""}`.slice(0, 200), said(op).slice(0, 200),
    `${timeText(op.call, 1000)}, took ${op.outcome === "no completion" ? "for ever" : durationText(op.took)}`];
}

function showTooltip(tooltip, lines, x, y, width) {
  tooltip.replaceChildren(...lines.filter(Boolean).map((line) => element("div", {}, bdi(line))));
  tooltip.hidden = false;
  const left = x + tooltip.offsetWidth + 20 > width ? x - tooltip.offsetWidth - 12 : x + 14;
  tooltip.style.left = `${Math.max(left, 0)}px`;
  tooltip.style.top = `${y + 16}px`;
}

function opLink(index) {
  return element("a", { href: `#op=${index}`, "data-op": index }, String(index));
}

function describe(pane, run, row, actions) {
  const op = opFields(run, row);
  const end = op.call + op.took;
  const pairs = [["process", op.process], ["key", op.key], ["argument", op.argument], ["result", op.value],
    ["error", op.error], ["node", op.node], ["called", timeText(op.call, 1)],
    ["returned", op.ret === null ? "never" : `${timeText(end, 1)} (op ${op.ret}), after ${durationText(op.took)}`],
    ["faults meanwhile", activeFaults(run, op.call, end).map((one) => `${one.kind} of ${one.nodes.join(", ")}`).join("; ") || "none"]];
  const list = element("dl", { class: "details" });
  for (const [name, value] of pairs) {
    if (value !== "") list.append(element("div", {}, element("dt", {}, name), element("dd", {}, bdi(value))));
  }
  const heading = element("h3", {}, "op ", opLink(op.index), op.ret === null ? "" : ` → ${op.ret}`, ` ${op.f} `, element("span", { class: `type ${op.outcome}` }, op.outcome));
  pane.replaceChildren(heading, list, element("p", { class: "controls" }, ...actions));
  pane.hidden = false;
}

function describeFault(pane, run, fault) {
  const lines = tooltipLines(run, { fault });
  pane.replaceChildren(element("h3", {}, bdi(lines[0])), ...lines.slice(1).filter(Boolean).map((line) => element("p", {}, bdi(line))));
  pane.hidden = false;
}

const TABLE_ROWS = 100;

function tableRows(run, view, mask, from) {
  const rows = [];
  let more = false;
  for (let i = from; i < run.ops.count; i++) {
    if (run.ops.call[i] > view.to) break;
    if (run.ops.call[i] + run.ops.took[i] < view.from || (mask !== null && !mask[i])) continue;
    if (rows.length === TABLE_ROWS) {
      more = true;
      break;
    }
    rows.push(i);
  }
  return { rows, more };
}

function fillTable(place, run, view, mask, from, go) {
  const { rows, more } = tableRows(run, view, mask, from);
  const head = ["op", "called", "took", "process", "f", "key", "argument", "result", "ended", "node"];
  const body = rows.map((row) => {
    const op = opFields(run, row);
    const cells = [timeText(op.call, 100), durationText(op.took), op.process, op.f, op.key, op.argument.slice(0, 200),
      (op.error || op.value).slice(0, 200), op.outcome, op.node];
    return element("tr", {}, element("td", {}, opLink(op.index)), ...cells.map((cell) => element("td", { class: "value" }, bdi(cell))));
  });
  const caption = rows.length ? `${rows.length} operations${more ? ", and more" : ""}` : "No operation is in this range";
  const table = element("table", {}, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...body));
  const buttons = [];
  if (from > 0) buttons.push(button("From the start of the range", () => go(0)));
  if (more) buttons.push(button("Next operations", () => go(rows[rows.length - 1] + 1)));
  place.replaceChildren(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Operations" }, table), element("p", { class: "controls" }, ...buttons));
}

function button(text, action) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", action);
  return made;
}

const LOG_LINES = 500;

// Lines of the logs whose time is in the range, those without a time where the run is seen from its start.
function logLines(logs, range, node) {
  const found = [];
  for (const log of logs) {
    if (node && log.node !== node) continue;
    log.lines.forEach((line, i) => {
      const time = log.times_us[i];
      if (time <= range.to && (time >= range.from || (time < 0 && range.from <= 0))) found.push([time, log.node, line]);
    });
  }
  found.sort((a, b) => a[0] - b[0]);
  return found;
}

function fillLogs(pane, found) {
  const shown = found.slice(0, LOG_LINES);
  const lines = shown.map(([time, node, line]) => element("div", {},
    element("span", { class: "quiet" }, time < 0 ? "before" : timeText(time, 1000)), " ", element("b", {}, node), " ", bdi(line)));
  if (found.length > shown.length) lines.push(element("div", { class: "quiet" }, `… and ${found.length - shown.length} more lines: narrow the range`));
  if (!lines.length) lines.push(element("div", { class: "quiet" }, "No line of a log is in this range."));
  pane.replaceChildren(...lines);
}
