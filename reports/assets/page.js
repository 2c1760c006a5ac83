// The page comes to life: what was packed is opened, the timeline drawn, and everything that can be
// clicked, typed or scrolled is connected. state is all that changes.

const byId = (id) => document.getElementById(id);
const NOTHING = { lane: null, f: null, node: null, outcomes: [1, 1, 1, 1], keys: null, witness: null };

async function main() {
  connectCopy();
  const run = await openedRun(byId("geometry").textContent);
  const state = {
    view: clamped({ from: 0, to: run.end }, run.end), mask: null, anomaly: run.anomalies.length ? 0 : -1,
    hovered: -1, chosen: -1, range: null, bins: null,
  };
  const timeline = timelineOf(run, byId("timeline"), byId("overlay"), state);
  const page = controls(run, state, timeline);
  timeline.draw();
  performance.mark("ready");
  document.documentElement.dataset.ready = String(Math.round(performance.now() * 10) / 10);
  window.windtunnel = { run, state, draw: timeline.draw, ...page };
  await parsed();
  await new Promise((resolve) => setTimeout(resolve));
  addSteps(run.ops);
  await addTexts(run, byId("texts").textContent);
  page.complete();
  document.documentElement.dataset.complete = "yes";
}

// The script stands right behind the timeline, which is drawn before the rest of the page is read.
function parsed() {
  if (document.readyState !== "loading") return undefined;
  return new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
}

function connectCopy() {
  const copy = byId("copy");
  if (!copy) return;
  copy.addEventListener("click", async () => {
    const code = byId("repeat");
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      document.execCommand("copy");
    }
    byId("copied").textContent = "copied";
  });
}

function controls(run, state, timeline) {
  let frameAsked = false, settled = 0;

  // Draw once per frame; the strips and panes follow when the view has come to rest.
  function changed() {
    if (!frameAsked) {
      frameAsked = true;
      requestAnimationFrame(() => {
        frameAsked = false;
        timeline.draw();
        drawStrips();
        showRange();
      });
    }
    clearTimeout(settled);
    settled = setTimeout(settle, 90);
  }

  function settle() {
    if (!run.texts) return;
    const width = byId("timeline").clientWidth;
    state.bins = binned(run.ops, state.view, Math.max(Math.min(Math.floor((width - 118) / 6), 300), 10), state.mask);
    drawStrips();
    fillPanes();
  }

  function drawStrips() {
    if (!state.bins) return;
    const colours = palette();
    drawRates(byId("rates"), run, state.bins, state.view, colours);
    drawLatencies(byId("latencies"), run, state.bins, state.view, colours);
    if (byId("clocks") && run.clocks.length) drawClocks(byId("clocks"), run, state.view, colours);
  }

  function fillPanes() {
    const range = state.range || state.view;
    if (byId("table-pane").open) fillTable(byId("table-place"), run, range, state.mask, 0, pageOfTable);
    if (byId("logs")) {
      const node = byId("log-node").value;
      fillLogs(byId("logs"), logLines(run.logs, range, node));
      byId("log-range").textContent = `${timeText(range.from, 1000)} to ${timeText(range.to, 1000)}${state.range ? ", as selected" : ", as shown above"}`;
    }
  }

  function pageOfTable(from) {
    fillTable(byId("table-place"), run, state.range || state.view, state.mask, from, pageOfTable);
  }

  function showRange() {
    const { view, range } = state;
    const step = (view.to - view.from) / 100;
    const selected = range ? `; selected ${timeText(range.from, step)} to ${timeText(range.to, step)}` : "";
    byId("range").textContent = `${timeText(Math.max(view.from, 0), step)} to ${timeText(Math.min(view.to, run.end), step)}${selected}`;
    if (byId("anomaly-now")) byId("anomaly-now").textContent = `anomaly ${state.anomaly + 1} of ${run.anomalies.length}`;
  }

  function look(view) {
    state.view = clamped(view, run.end);
    changed();
  }

  function choose(row, how = {}) {
    state.chosen = row;
    if (row < 0) {
      byId("chosen").hidden = true;
      history.replaceState(null, "", location.pathname + location.search);
      return changed();
    }
    describe(byId("chosen"), run, row, actionsFor(row));
    if (!how.silent) history.replaceState(null, "", `#op=${run.ops.index[row]}`);
    const { call, took } = { call: run.ops.call[row], took: run.ops.took[row] };
    if (call + took < state.view.from || call > state.view.to || how.closely) {
      const least = how.closely ? Math.max(took * 4, run.end / 200) : (state.view.to - state.view.from) / 2;
      state.view = clamped(around(call, call + took, least), run.end);
    }
    changed();
  }

  function actionsFor(row) {
    const { call, took, node } = { call: run.ops.call[row], took: run.ops.took[row], node: run.nodes[run.ops.node[row]] };
    const actions = [button("Zoom to it", () => look(around(call, call + took, Math.max(took, 50))))];
    if (byId("logs")) {
      actions.push(button(`Log ${node ? `of ${node} ` : ""}around it`, () => {
        state.range = { from: call - 5e5, to: call + took + 5e5 };
        byId("log-node").value = node || "";
        changed();
        byId("logs").scrollIntoView({ block: "nearest" });
      }));
    }
    return actions;
  }

  function toAnomaly(number) {
    const count = run.anomalies.length;
    if (!count) return;
    state.anomaly = (number + count) % count;
    const { rows } = run.anomalies[state.anomaly];
    if (!rows.length) return changed();
    const calls = rows.map((row) => run.ops.call[row]);
    const ends = rows.map((row) => run.ops.call[row] + run.ops.took[row]);
    state.view = clamped(around(Math.min(...calls), Math.max(...ends), 500), run.end);
    choose(rows[rows.length - 1]);
  }

  function step(by) {
    const { rows, starts } = run.byLane;
    if (state.chosen < 0) return choose(firstInView());
    const lane = laneOfRow(run, state.chosen);
    let i = firstAtLeast(run.ops.call, rows, starts[lane], starts[lane + 1], run.ops.call[state.chosen]);
    while (rows[i] !== state.chosen) i++;
    do i += by; while (i >= starts[lane] && i < starts[lane + 1] && state.mask !== null && !state.mask[rows[i]]);
    if (i >= starts[lane] && i < starts[lane + 1]) choose(rows[i]);
  }

  function otherLane(by) {
    if (state.chosen < 0) return choose(firstInView());
    const { rows, starts } = run.byLane;
    const lane = laneOfRow(run, state.chosen) + by;
    if (lane < 0 || lane >= run.lanes.length || starts[lane] === starts[lane + 1]) return undefined;
    const i = firstAtLeast(run.ops.call, rows, starts[lane], starts[lane + 1], run.ops.call[state.chosen]);
    return choose(rows[Math.min(i, starts[lane + 1] - 1)]);
  }

  function firstInView() {
    for (let row = 0; row < run.ops.count; row++) {
      if (run.ops.call[row] >= state.view.from && (state.mask === null || state.mask[row])) return row;
    }
    return -1;
  }

  function letGo() {
    state.range = null;
    byId("tooltip").hidden = true;
    choose(-1);
  }

  const KEYS = {
    ArrowLeft: () => look(panned(state.view, -0.2)), ArrowRight: () => look(panned(state.view, 0.2)),
    ArrowUp: () => otherLane(-1), ArrowDown: () => otherLane(1),
    "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), "0": whole, Home: whole,
    a: () => toAnomaly(state.anomaly + (state.chosen < 0 ? 0 : 1)), A: () => toAnomaly(state.anomaly - 1),
    n: () => step(1), p: () => step(-1), Escape: letGo,
  };

  function zoom(factor) {
    const { from, to } = state.view;
    const call = state.chosen < 0 ? -1 : run.ops.call[state.chosen];
    look(zoomed(state.view, factor, call > from && call < to ? call : (from + to) / 2));
  }

  function whole() {
    look({ from: 0, to: run.end });
  }

  function refilter() {
    const wanted = wantedOf(run);
    state.mask = wanted === null ? null : passing(run.ops, run.laneOf, wanted);
    let count = 0;
    if (state.mask !== null) for (const one of state.mask) count += one;
    byId("filter-count").textContent = state.mask === null ? "" : `${count.toLocaleString("en")} of ${run.ops.count.toLocaleString("en")} operations`;
    changed();
  }

  function follow() {
    const found = /^#(op|fault)=(\d+)$/.exec(location.hash);
    if (!found) return;
    if (found[1] === "op") goToOp(Number(found[2]));
    else goToFault(Number(found[2]));
  }

  function goToOp(index) {
    const row = rowOfIndex(run.ops, index);
    const number = run.anomalies.findIndex((one) => one.rows.includes(row));
    if (number >= 0 && !(state.anomaly >= 0 && run.anomalies[state.anomaly].rows.includes(row))) state.anomaly = number;
    const fault = run.faults.find((one) => one.ops.includes(index));
    if (row >= 0) choose(row, { closely: true, silent: true });
    else if (fault) return goToFault(fault.number);
    else {
      byId("chosen").replaceChildren(element("p", {}, `op ${index} is not on this page; the history has it.`));
      byId("chosen").hidden = false;
    }
    byId("stage").scrollIntoView({ block: "nearest" });
    return undefined;
  }

  function goToFault(number) {
    const fault = run.faults.find((one) => one.number === number);
    if (!fault) return;
    describeFault(byId("chosen"), run, fault);
    look(around(fault.begin, fault.end === null ? run.end : fault.end, 1e4));
    byId("stage").scrollIntoView({ block: "nearest" });
  }

  function complete() {
    fillFilters(run);
    if (byId("log-node")) for (const log of run.logs) byId("log-node").append(element("option", { value: log.node }, log.node));
    byId("log-node")?.addEventListener("change", fillPanes);
    if (state.chosen >= 0) describe(byId("chosen"), run, state.chosen, actionsFor(state.chosen));
    timeline.draw();
    settle();
  }

  connectPointer(run, state, timeline, { look, choose, changed });
  byId("stage").addEventListener("keydown", (event) => {
    const action = KEYS[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  const clicks = { "zoom-in": () => zoom(0.5), "zoom-out": () => zoom(2), "zoom-all": whole,
    "anomaly-next": () => toAnomaly(state.anomaly + (state.chosen < 0 ? 0 : 1)), "anomaly-previous": () => toAnomaly(state.anomaly - 1) };
  for (const [id, action] of Object.entries(clicks)) byId(id)?.addEventListener("click", action);
  byId("filters").addEventListener("input", refilter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(refilter));
  byId("table-pane").addEventListener("toggle", () => run.texts && fillPanes());
  addEventListener("hashchange", follow);
  addEventListener("resize", changed);
  const recolour = () => { timeline.recoloured(); timeline.draw(); drawStrips(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  addEventListener("beforeprint", recolour);
  addEventListener("afterprint", recolour);
  document.addEventListener("click", (event) => {
    const jump = event.target.closest?.("[data-anomaly]");
    const link = event.target.closest?.("[data-op]");
    if (jump) { toAnomaly(Number(jump.dataset.anomaly)); byId("stage").scrollIntoView({ block: "center" }); byId("stage").focus({ preventScroll: true }); }
    if (link && location.hash === `#op=${link.dataset.op}`) goToOp(Number(link.dataset.op));
  });

  follow();
  showRange();
  return { look, choose, toAnomaly, zoom, complete, refilter, timeline };
}

// What the form asks for; null if it lets everything through.
function wantedOf(run) {
  const chosen = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
  const shown = (id) => (byId(id).checked ? 1 : 0);
  const wanted = { ...NOTHING, lane: chosen("filter-lane"), f: chosen("filter-f"), node: chosen("filter-node") };
  wanted.outcomes = [shown("filter-info"), shown("filter-ok"), shown("filter-fail"), shown("filter-info")];
  wanted.witness = byId("filter-witness").checked ? run.witness : null;
  wanted.keys = keysLike(run, byId("filter-key").value.trim());
  const all = wanted.lane === null && wanted.f === null && wanted.node === null && wanted.keys === null
    && wanted.witness === null && wanted.outcomes.every(Boolean);
  return all ? null : wanted;
}

// Codes of the keys that are this text, as it is or in quotes.
function keysLike(run, text) {
  if (!text || !run.texts) return null;
  const keys = new Uint8Array(run.texts.count);
  for (const code of new Set(run.ops.key)) {
    const key = run.texts.text(code);
    keys[code] = code && (key === text || key === `"${text}"`) ? 1 : 0;
  }
  return keys;
}

function fillFilters(run) {
  run.lanes.forEach((lane, number) => byId("filter-lane").append(element("option", { value: number }, laneName(run, number))));
  const used = new Set(run.ops.f);
  run.fs.forEach((f, code) => used.has(code) && byId("filter-f").append(element("option", { value: code }, f)));
  run.nodes.forEach((node, code) => code && byId("filter-node").append(element("option", { value: code }, node)));
}

function connectPointer(run, state, timeline, { look, choose, changed }) {
  const stage = byId("stage"), tooltip = byId("tooltip");
  let held = null;

  const pointOf = (event) => {
    const box = byId("timeline").getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, width: box.width };
  };

  stage.addEventListener("wheel", (event) => {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== stage && !sideways) return;
    event.preventDefault();
    const { x } = pointOf(event);
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (sideways) look(panned(state.view, ((event.deltaX || event.deltaY) * unit) / 1000));
    else look(zoomed(state.view, Math.exp(event.deltaY * unit * 0.002), timeline.timeOf(x)));
  }, { passive: false });

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const { x } = pointOf(event);
    if (!timeline.inPlot(x)) return;
    held = { x, view: state.view, time: timeline.timeOf(x), selects: event.shiftKey, moved: false };
    stage.setPointerCapture(event.pointerId);
  });

  stage.addEventListener("pointermove", (event) => {
    const { x, y, width } = pointOf(event);
    if (held) return drag(x);
    const found = timeline.at(x, y);
    const row = found.row ?? -1;
    if (row !== state.hovered) {
      state.hovered = row;
      timeline.drawOverlay();
    }
    if (row >= 0 || found.fault || found.mark) showTooltip(tooltip, tooltipLines(run, found), x, y, width);
    else tooltip.hidden = true;
    return undefined;
  });

  function drag(x) {
    if (Math.abs(x - held.x) > 3) held.moved = true;
    if (!held.moved) return;
    tooltip.hidden = true;
    if (held.selects) {
      const now = timeline.timeOf(x);
      state.range = { from: Math.min(held.time, now), to: Math.max(held.time, now) };
      changed();
    } else {
      const { from, to } = held.view;
      const by = ((held.x - x) * (to - from)) / (timeline.xOf(to) - timeline.xOf(from)) * (state.view.to - state.view.from) / (to - from);
      look({ from: from + by, to: to + by });
    }
  }

  stage.addEventListener("pointerup", (event) => {
    const was = held;
    held = null;
    if (!was || was.moved) return;
    stage.focus({ preventScroll: true });
    const { x, y } = pointOf(event);
    const found = timeline.at(x, y);
    if (found.fault) goToFaultQuietly(found.fault);
    else choose(found.row ?? -1);
  });

  function goToFaultQuietly(fault) {
    state.chosen = -1;
    describeFault(byId("chosen"), run, fault);
    history.replaceState(null, "", `#fault=${fault.number}`);
    changed();
  }

  stage.addEventListener("dblclick", (event) => look(zoomed(state.view, 0.35, timeline.timeOf(pointOf(event).x))));
  stage.addEventListener("pointercancel", () => { held = null; });
  stage.addEventListener("pointerleave", () => {
    tooltip.hidden = true;
    if (state.hovered >= 0) {
      state.hovered = -1;
      timeline.drawOverlay();
    }
  });
}

main();
