// The timeline: faults on top, a lane per client, a lane per node. Everything is drawn anew each time;
// what follows the pointer lies on a second canvas, so that hovering costs nothing.

const GUTTER = 118, AXIS = 22, FAULT_ROW = 17, MARKERS = 14, GAP = 8, NODE_ROW = 18, LABEL_ROOM = GUTTER - 10;
const MAX_HEIGHT = 900, TALLEST_ROW = 24, LOWEST_ROW = 3;
const SHORT_RUN = 20_000; // operations, up to which grouping them costs more than it saves

// Where everything stands, from top to bottom.
function layout(run, width) {
  const nodes = run.nodes.length - 1;
  const faultRows = run.faultRows.length ? Math.max(...run.faultRows) + 1 : 0;
  const faults = AXIS + (run.anomalies.length ? MARKERS : 0);
  const lanes = faults + faultRows * FAULT_ROW + GAP;
  const room = MAX_HEIGHT - lanes - nodes * NODE_ROW;
  const row = Math.max(Math.min(Math.floor(room / Math.max(run.lanes.length, 1)), TALLEST_ROW), LOWEST_ROW);
  const places = Math.max(Math.min(run.lanes.length, Math.floor(9000 / row)), 1);
  const nodesTop = lanes + places * row + GAP;
  return { width, plot: width - GUTTER, faults, lanes, row, places, nodesTop, height: nodesTop + nodes * NODE_ROW + 6 };
}

function timelineOf(run, base, overlay, state) {
  let place = layout(run, 800);
  let colours = palette();
  let hatches = {};
  let clear = true; // nothing is on the overlay

  const xOf = (time) => GUTTER + ((time - state.view.from) * place.plot) / (state.view.to - state.view.from);
  const timeOf = (x) => state.view.from + ((x - GUTTER) * (state.view.to - state.view.from)) / place.plot;
  const laneTop = (lane) => place.lanes + (lane % place.places) * place.row;
  const nodeTop = (node) => place.nodesTop + node * NODE_ROW;

  function recoloured() {
    colours = palette();
    hatches = {};
  }

  function hatchOf(context, family) {
    return (hatches[family] ||= hatch(context, family, colours[family]));
  }

  function draw() {
    place = layout(run, Math.max(base.parentElement.clientWidth, 320));
    const c = fitted(base, place.width, place.height);
    c.font = FONT;
    c.textBaseline = "middle";
    drawAxis(c);
    c.save();
    c.beginPath();
    c.rect(GUTTER, 0, place.plot, place.height);
    c.clip();
    drawGaps(c);
    drawFaults(c);
    const width = Math.ceil(place.plot);
    const { lanes, nodes } = run.ops.count <= SHORT_RUN ? pictured(run, state.view, width, state.mask) : {};
    for (let lane = 0; lane < run.lanes.length; lane++) {
      const seen = lanes ? partOf(lanes, lane, width) : seenOf(run.byLane, lane, width);
      drawLane(c, seen, laneTop(lane), place.row, true);
    }
    for (let node = 0; node < run.nodes.length - 1; node++) {
      drawFaultsOf(c, node);
      const seen = nodes ? partOf(nodes, node + 1, width) : seenOf(run.byNode, node + 1, width);
      drawLane(c, seen, nodeTop(node) + 5, NODE_ROW - 10, false);
    }
    drawMarks(c);
    drawWitness(c);
    c.restore();
    drawLabels(c);
    drawOverlay();
  }

  function drawAxis(c) {
    const { step, found } = ticks(state.view.from, state.view.to, place.plot / 100);
    c.strokeStyle = colours.line;
    c.fillStyle = colours.quiet;
    c.lineWidth = 1;
    c.beginPath();
    for (const time of found) {
      const x = Math.round(xOf(time)) + 0.5;
      c.moveTo(x, AXIS - 4);
      c.lineTo(x, place.height);
    }
    c.stroke();
    c.textAlign = "center";
    for (const time of found) {
      const x = xOf(time);
      if (x > GUTTER + 16 && x < place.width - 24) c.fillText(timeText(time, step), x, 10);
    }
    c.textAlign = "left";
  }

  // Spans of time whose operations are not in this page.
  function drawGaps(c) {
    if (!run.spans.length) return;
    c.fillStyle = hatchOf(c, "other");
    let from = 0;
    for (const [start, stop] of [...run.spans, [run.end, run.end]]) {
      if (start > from) {
        c.globalAlpha = 0.5;
        c.fillRect(xOf(from), place.lanes, xOf(start) - xOf(from), place.height - place.lanes);
        c.globalAlpha = 1;
      }
      from = stop;
    }
  }

  function drawFaults(c) {
    run.faults.forEach((fault, number) => {
      const left = xOf(fault.begin), right = Math.max(xOf(fault.end === null ? run.end : fault.end), left + 2);
      if (right < GUTTER || left > place.width) return;
      const top = place.faults + run.faultRows[number] * FAULT_ROW;
      c.globalAlpha = 0.28;
      c.fillStyle = hatchOf(c, fault.family);
      c.fillRect(left, place.lanes - GAP / 2, right - left, place.height - place.lanes);
      c.globalAlpha = 0.07;
      c.fillStyle = colours[fault.family];
      c.fillRect(left, top + 1, right - left, place.height - top);
      c.globalAlpha = 0.3;
      c.fillRect(left, top + 1, right - left, FAULT_ROW - 3);
      c.globalAlpha = 1;
      c.strokeStyle = colours[fault.family];
      c.setLineDash(fault.landed ? [] : [3, 3]);
      c.strokeRect(left + 0.5, top + 1.5, right - left - 1, FAULT_ROW - 4);
      c.setLineDash([]);
      c.fillStyle = colours.ink;
      const start = Math.max(left, GUTTER) + 5;
      const name = `${fault.number} ${fault.kind} ${fault.nodes.join(" ")}${fault.landed ? "" : " (no effect)"}`;
      clippedText(c, name, start, top + FAULT_ROW / 2, Math.min(right, place.width) - start - 3);
    });
  }

  function partOf(picture, number, width) {
    return { cells: picture.cells.subarray(number * width, (number + 1) * width), wide: picture.wide[number] };
  }

  function seenOf(group, number, width) {
    const { rows, starts } = group, blocks = blocksUnder(run.ops, group, state.mask);
    const widest = state.view.from <= 0 ? Infinity : widestOf(run.ops, group)[number];
    const cells = new Uint8Array(width), wide = [];
    shrunk(run.ops, rows, blocks, starts[number], starts[number + 1], state.view, width, state.mask, cells, wide, widest);
    return { cells, wide };
  }

  function drawLane(c, { cells, wide }, top, height, client) {
    drawCells(c, cells, top, height);
    if (wide.length) drawWide(c, wide, top, height, client);
  }

  // Height tells outcomes apart as colour does: ok in the middle, fail low, info from top to bottom.
  function drawCells(c, cells, top, height) {
    const pad = Math.max(Math.round(height * 0.18), 0);
    const inner = Math.max(height - 2 * pad, 2);
    const boxes = [null,
      [colours.dim, top + height / 2 - 1, 2],
      [colours.ok, top + pad, inner],
      [colours.fail, top + height / 2, Math.max(inner / 2, 1)],
      [colours.info, top, Math.max(height - 1, 2)]];
    stretches(cells).forEach((ends, code) => {
      if (!ends.length) return;
      const [colour, y, high] = boxes[code];
      c.beginPath();
      for (let i = 0; i < ends.length; i += 2) c.rect(GUTTER + ends[i], y, ends[i + 1] - ends[i], high);
      c.fillStyle = colour;
      c.fill();
    });
  }

  // Operations that are wide enough to be drawn one by one. Colours change once per look, not per operation.
  function drawWide(c, wide, top, height, client) {
    const { outcome } = run.ops;
    const pad = height > 8 ? 3 : 0;
    const high = Math.max(height - 2 * pad - 1, 1), y = top + pad + 0.5;
    const box = { y, high, shown: client ? 0.75 : 0.4 };
    const looks = [[], [], [], []]; // by outcome, NONE for those that a filter leaves out
    for (const row of wide) {
      const passes = state.mask === null || state.mask[row];
      looks[!passes ? NONE : outcome[row] === NONE ? INFO : outcome[row]].push(row);
    }
    c.lineWidth = 1;
    drawLook(c, looks[OK], colours.ok, box, drawOk);
    drawLook(c, looks[FAIL], colours.fail, box, drawFail);
    drawLook(c, looks[INFO], colours.info, box, drawInfo);
    for (const row of looks[NONE]) {
      const draw = outcome[row] === OK ? drawOk : outcome[row] === FAIL ? drawFail : drawInfo;
      drawLook(c, [row], colours.dim, { ...box, shown: 0.35 }, draw);
    }
    c.globalAlpha = 1;
    if (client && height >= 14) for (const row of wide) drawLabel(c, row, top + height / 2 + 0.5);
  }

  function drawLook(c, rows, colour, box, draw) {
    if (!rows.length) return;
    c.strokeStyle = c.fillStyle = colour;
    c.globalAlpha = box.shown;
    for (const row of rows) {
      const { left, right } = endsOf(row);
      draw(c, left, right, box);
    }
  }

  function endsOf(row) {
    const { call, took } = run.ops;
    return { left: Math.max(xOf(call[row]), GUTTER - 20), right: Math.min(xOf(call[row] + took[row]), place.width + 20) };
  }

  function drawOk(c, left, right, { y, high }) {
    c.fillRect(left, y, Math.max(right - left - 1, 1), high);
  }

  function drawFail(c, left, right, { y, high }) {
    const wide = Math.max(right - left - 1, 1);
    c.strokeRect(left, y, wide, high);
    c.beginPath();
    c.moveTo(left, y + high);
    c.lineTo(left + Math.min(wide, high), y);
    c.stroke();
  }

  function drawInfo(c, left, right, { y, high, shown }) {
    c.globalAlpha = shown * 0.55;
    c.fillRect(left, y, Math.max(right - left - 1, 1), high);
    c.globalAlpha = 1;
    c.setLineDash([4, 3]);
    c.beginPath();
    c.moveTo(left, y);
    c.lineTo(right, y);
    c.lineTo(right + 5, y + high / 2);
    c.lineTo(right, y + high);
    c.lineTo(left, y + high);
    c.lineTo(left, y);
    c.stroke();
    c.setLineDash([]);
  }

  function drawLabel(c, row, y) {
    const { left, right } = endsOf(row);
    if (right - left <= 35) return;
    const passes = state.mask === null || state.mask[row];
    c.fillStyle = run.ops.outcome[row] === OK && passes ? colours.paper : colours.ink;
    const start = Math.max(left, GUTTER) + 4;
    clippedText(c, opLabel(row), start, y, Math.min(right, place.width) - start - 4);
  }

  function opLabel(row) {
    const { ops, fs } = run;
    const text = (name) => textOf(run, name, row);
    const said = (ops.outcome[row] === OK ? ops.value?.[row] && text("value") : text("error")) || text("argument");
    const key = text("key");
    return `${fs[ops.f[row]]}${key ? `[${key}]` : ""} ${said.slice(0, 80)}`;
  }

  function drawFaultsOf(c, node) {
    const top = nodeTop(node);
    const name = run.nodes[node + 1];
    for (const fault of run.faults) {
      if (!fault.nodes.includes(name)) continue;
      const left = xOf(fault.begin), right = Math.max(xOf(fault.end === null ? run.end : fault.end), left + 2);
      if (right < GUTTER || left > place.width) continue;
      c.globalAlpha = 0.25;
      c.fillStyle = colours[fault.family];
      c.fillRect(left, top + 1, right - left, NODE_ROW - 2);
      c.globalAlpha = 1;
    }
  }

  const SHAPES = { leader: "▲", session: "◆", other: "●" };

  function drawMarks(c) {
    c.textAlign = "center";
    for (const mark of run.marks) {
      const x = xOf(mark.time_us);
      if (x < GUTTER || x > place.width) continue;
      const node = run.nodes.indexOf(mark.node || "");
      c.fillStyle = colours.ink;
      c.fillText(SHAPES[mark.kind], x, node > 0 ? nodeTop(node - 1) + NODE_ROW / 2 : place.nodesTop - GAP / 2);
    }
    c.textAlign = "left";
  }

  function boxOf(row) {
    const left = xOf(run.ops.call[row]);
    const right = Math.max(xOf(run.ops.call[row] + run.ops.took[row]), left + 3);
    const top = laneTop(laneOfRow(run, row));
    return { left, right, top, middle: top + place.row / 2 };
  }

  function drawWitness(c) {
    c.strokeStyle = colours.witness;
    c.fillStyle = colours.witness;
    run.anomalies.forEach((anomaly, number) => {
      const current = number === state.anomaly;
      for (const row of anomaly.rows) {
        const box = boxOf(row);
        if (box.right < GUTTER || box.left > place.width) continue;
        c.lineWidth = current ? 2 : 1;
        c.strokeRect(box.left - 2, box.top + 0.5, box.right - box.left + 4, place.row - 1);
      }
      if (anomaly.rows.length) drawMarker(c, boxOf(anomaly.rows[anomaly.rows.length - 1]).left, current);
    });
    if (run.anomalies[state.anomaly]) drawArrows(c, run.anomalies[state.anomaly].rows);
  }

  function drawMarker(c, x, current) {
    const top = AXIS + 1, size = current ? 6 : 4;
    c.beginPath();
    c.moveTo(x - size, top);
    c.lineTo(x + size, top);
    c.lineTo(x, top + size * 1.8);
    c.closePath();
    c.fill();
  }

  function drawArrows(c, rows) {
    c.lineWidth = 1.5;
    for (let i = 0; i + 1 < rows.length && i < 12; i++) {
      const from = boxOf(rows[i]), to = boxOf(rows[i + 1]);
      const x1 = from.right + 2, x2 = to.left - 3;
      if (Math.max(x1, x2) < GUTTER || Math.min(x1, x2) > place.width) continue;
      const bend = Math.max(Math.abs(x2 - x1) / 2, 12);
      c.beginPath();
      c.moveTo(x1, from.middle);
      c.bezierCurveTo(x1 + bend, from.middle, x2 - bend, to.middle, x2, to.middle);
      c.stroke();
      c.beginPath();
      c.moveTo(x2 + 1, to.middle);
      c.lineTo(x2 - 6, to.middle - 4);
      c.lineTo(x2 - 6, to.middle + 4);
      c.fill();
    }
  }

  function drawLabels(c) {
    c.fillStyle = colours.quiet;
    if (run.anomalies.length) c.fillText("anomalies", 4, AXIS + MARKERS / 2);
    if (run.faults.length) c.fillText("faults", 4, place.faults + FAULT_ROW / 2);
    c.fillStyle = colours.ink;
    const every = Math.ceil(12 / place.row);
    for (let lane = 0; lane < Math.min(run.lanes.length, place.places); lane += every) {
      clippedText(c, laneName(run, lane), 4, laneTop(lane) + place.row / 2, LABEL_ROOM);
    }
    for (let node = 0; node < run.nodes.length - 1; node++) {
      clippedText(c, run.nodes[node + 1], 4, nodeTop(node) + NODE_ROW / 2, LABEL_ROOM);
    }
    c.strokeStyle = colours.line;
    c.beginPath();
    for (const y of [place.lanes - GAP / 2, place.nodesTop - GAP / 2]) {
      c.moveTo(0, Math.round(y) + 0.5);
      c.lineTo(place.width, Math.round(y) + 0.5);
    }
    c.stroke();
  }

  function drawOverlay() {
    const empty = !state.range && state.hovered < 0 && state.chosen < 0;
    if (empty && clear) return;
    clear = empty;
    const c = fitted(overlay, place.width, place.height);
    c.save();
    c.beginPath();
    c.rect(GUTTER, 0, place.plot, place.height);
    c.clip();
    if (state.range) {
      c.fillStyle = colours.focus;
      c.globalAlpha = 0.18;
      c.fillRect(xOf(state.range.from), 0, xOf(state.range.to) - xOf(state.range.from), place.height);
      c.globalAlpha = 1;
    }
    for (const [row, width] of [[state.hovered, 1.5], [state.chosen, 3]]) {
      if (row < 0) continue;
      const box = boxOf(row);
      c.strokeStyle = colours.focus;
      c.lineWidth = width;
      c.strokeRect(box.left - 3, box.top - 1, box.right - box.left + 6, place.row + 2);
      c.beginPath();
      c.moveTo(box.left, AXIS);
      c.lineTo(box.left, box.top - 2);
      c.lineWidth = 1;
      c.stroke();
    }
    c.restore();
  }

  // What lies at a point of the canvas: {row} or {fault} or {mark}, or nothing.
  function at(x, y) {
    if (x < GUTTER) return {};
    const time = timeOf(x), slack = (6 * (state.view.to - state.view.from)) / place.plot;
    const mark = run.marks.find((one) => Math.abs(xOf(one.time_us) - x) < 6 && Math.abs(markY(one) - y) < 8);
    if (mark) return { mark };
    if (y >= place.faults && y < place.lanes - GAP / 2) return faultAt(time, Math.floor((y - place.faults) / FAULT_ROW), slack);
    if (y >= place.nodesTop) return nodeAt(time, Math.floor((y - place.nodesTop) / NODE_ROW), slack);
    if (y < place.lanes) return {};
    for (let lane = Math.floor((y - place.lanes) / place.row); lane < run.lanes.length; lane += place.places) {
      const { rows, starts } = run.byLane;
      const row = opAt(run.ops, rows, starts[lane], starts[lane + 1], time, slack, widestOf(run.ops, run.byLane)[lane]);
      if (row >= 0) return { row };
    }
    return {};
  }

  function markY(mark) {
    const node = run.nodes.indexOf(mark.node || "");
    return node > 0 ? nodeTop(node - 1) + NODE_ROW / 2 : place.nodesTop - GAP / 2;
  }

  function faultAt(time, stack, slack) {
    const fault = run.faults.find((one, i) => run.faultRows[i] === stack && one.begin <= time + slack
      && (one.end === null ? run.end : one.end) >= time - slack);
    return fault ? { fault } : {};
  }

  function nodeAt(time, node, slack) {
    if (node >= run.nodes.length - 1) return {};
    const { rows, starts } = run.byNode;
    const row = opAt(run.ops, rows, starts[node + 1], starts[node + 2], time, slack, widestOf(run.ops, run.byNode)[node + 1]);
    if (row >= 0) return { row };
    const name = run.nodes[node + 1];
    const fault = activeFaults(run, time, time).find((one) => one.nodes.includes(name));
    return fault ? { fault } : {};
  }

  return { draw, drawOverlay, recoloured, at, timeOf, xOf, boxOf, inPlot: (x) => x >= GUTTER };
}

function laneName(run, lane) {
  const { label, processes } = run.lanes[lane];
  return processes.length > 1 ? `client ${label} (+${processes.length - 1})` : `client ${label}`;
}
