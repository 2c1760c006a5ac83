// The page's functions that need no browser. Run by test_scripts.py with `node --test`.
const test = require("node:test");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const ASSETS = path.join(__dirname, "..", "..", "reports", "assets");
const names = ["unpackedBytes", "numbersOf", "grouped", "clientLanes", "firstAtLeast", "clamped", "zoomed", "panned",
  "ticks", "timeText", "durationText", "passing", "shrunk", "pictured", "blocksOf", "opAt", "rowOfIndex", "stacked", "binned",
  "latencyStep", "latencyOfStep", "longest", "stretches", "addSteps", "logLines", "offsetText", "bent"];
const source = ["columns.js", "scene.js", "parcel.js", "strips.js", "panes.js"]
  .map((name) => fs.readFileSync(path.join(ASSETS, name), "utf8")).join("\n");
const page = vm.runInNewContext(`${source};({${names.join(",")}})`, { TextDecoder, TextEncoder, Uint8Array, Float64Array,
  Int32Array, Math, Map, Set });

function opsOf(rows) {
  const ops = { count: rows.length };
  const columns = { call: 0, took: 1, outcome: 2, process: 3, f: 4, node: 5, index: 6, ret: 7, key: 8 };
  for (const [name, place] of Object.entries(columns)) ops[name] = Float64Array.from(rows, (row) => row[place] ?? 0);
  page.addSteps(ops);
  return ops;
}

const plain = (value) => JSON.parse(JSON.stringify(value));

test("planes become numbers again, negative ones and differences too", () => {
  const bytes = Uint8Array.from([3, 2, 0, 1]); // zigzag of -2, 1 | -2 + 2^8 / 2 ...
  assert.deepEqual([...page.numbersOf(bytes, 0, 2, 1, 0)], [-2, 1]);
  assert.deepEqual([...page.numbersOf(bytes, 0, 2, 1, 1)], [-2, -1]);
  assert.deepEqual([...page.numbersOf(bytes, 0, 2, 1, 2)], [...bytes.subarray(0, 2)]);
  const wide = Uint8Array.from([0, 0, 0, 0, 0, 2]); // 2 * 256**5 / 2
  assert.deepEqual([...page.numbersOf(wide, 0, 1, 6, 0)], [256 ** 5]);
});

test("a header is followed by its columns and a tail", () => {
  const head = new TextEncoder().encode('{"x":1,"columns":[["a",2,1,0]]}\n');
  const raw = Uint8Array.from([...head, 2, 4, 9, 9]);
  const { header, columns, tail } = page.unpackedBytes(raw);
  assert.equal(header.x, 1);
  assert.deepEqual([...columns.a], [1, 2]);
  assert.deepEqual([...tail], [9, 9]);
});

test("rows are grouped in their order, those of no group left out", () => {
  const { rows, starts } = page.grouped([1, 0, -1, 1], 2);
  assert.deepEqual([...rows], [1, 0, 3]);
  assert.deepEqual([...starts], [0, 1, 3]);
});

test("processes of one thread share a lane, and only those", () => {
  const { laneOf, lanes } = page.clientLanes([0, 1, 2, 5, 6], 5);
  assert.deepEqual([...laneOf], [0, 1, 2, 0, 1]);
  assert.deepEqual(plain(lanes.map((one) => one.processes)), [[0, 5], [1, 6], [2]]);
  assert.equal(page.clientLanes([0, 5], null).lanes.length, 2);
});

test("equal neighbours of what is seen are one stretch", () => {
  const found = page.stretches(Uint8Array.from([0, 2, 2, 4, 0, 2, 3]));
  assert.deepEqual(plain(found), [[], [], [1, 3, 5, 6], [6, 7], [3, 4]]);
});

test("zooming keeps what is under the pointer where it is", () => {
  const view = page.zoomed({ from: 100, to: 200 }, 0.5, 125);
  assert.deepEqual(plain(view), { from: 112.5, to: 162.5 });
});

test("a view stays near the run and never becomes empty", () => {
  const wide = page.clamped({ from: -1e9, to: 1e9 }, 1000);
  assert.ok(wide.to - wide.from <= 1060);
  const narrow = page.clamped({ from: 5, to: 5 }, 1000);
  assert.equal(narrow.to - narrow.from, 20);
  const beyond = page.clamped({ from: 5000, to: 5100 }, 1000);
  assert.ok(beyond.from < 1000);
});

test("ticks are round and as many as there is room for", () => {
  for (const [from, to, most] of [[0, 30e6, 10], [4.518e6, 4.852e6, 8], [0, 7, 5], [-20, 1e9, 12]]) {
    const { step, found } = page.ticks(from, to, most);
    assert.ok(found.length <= most + 1 && found.length >= 2, `${from} ${to}: ${found}`);
    assert.ok([1, 2, 5, 10].some((one) => Math.abs(Math.log10(step / one) % 1) < 1e-9));
  }
});

test("times are as exact as their neighbours need", () => {
  assert.equal(page.timeText(4851618, 1), "4.851618 s");
  assert.equal(page.timeText(4851618, 1e5), "4.9 s");
  assert.equal(page.timeText(12e6, 1e6), "12 s");
  assert.equal(page.timeText(1234567891e6, 1e5), "1,234,567,891.0 s");
  assert.equal(page.timeText(-20, 1), "-0.000020 s");
  assert.equal(page.durationText(900000), "900 ms");
  assert.equal(page.offsetText(-119737000), "−119.7 s");
});

test("filters let through what meets all conditions", () => {
  const ops = opsOf([[0, 1, 1, 0, 0, 1], [1, 1, 2, 1, 0, 2], [2, 1, 3, 0, 1, 1], [3, 1, 0, 0, 0, 0]]);
  const laneOf = [0, 1];
  const all = { lane: null, f: null, node: null, outcomes: [1, 1, 1, 1], keys: null, witness: null };
  const of = (some) => [...page.passing(ops, laneOf, { ...all, ...some })];
  assert.deepEqual(of({}), [1, 1, 1, 1]);
  assert.deepEqual(of({ lane: 0 }), [1, 0, 1, 1]);
  assert.deepEqual(of({ f: 1 }), [0, 0, 1, 0]);
  assert.deepEqual(of({ node: 2 }), [0, 1, 0, 0]);
  assert.deepEqual(of({ outcomes: [0, 1, 0, 0] }), [1, 0, 0, 0]);
  assert.deepEqual(of({ witness: new Set([2]) }), [0, 0, 1, 0]);
});

// Cells and wide operations of one group of a long run, and of every group of a short one.
const WIDTH = 400;
const WAYS = {
  "in blocks": (ops, view) => {
    const cells = new Uint8Array(WIDTH), wide = [], order = Int32Array.from({ length: ops.count }, (_, i) => i);
    page.shrunk(ops, order, page.blocksOf(ops, order, null), 0, ops.count, view, WIDTH, null, cells, wide, 41);
    return { cells, wide };
  },
  "in one go": (ops, view) => {
    const { lanes, nodes } = page.pictured({ ops, laneOf: [1], lanes: [{}, {}], nodes: ["", "n1"] }, view, WIDTH, null);
    assert.ok(lanes.cells.subarray(0, WIDTH).every((one) => one === 0) && !lanes.wide[0].length);
    assert.deepEqual([...nodes.cells.subarray(0, WIDTH)], [...lanes.cells.subarray(WIDTH)]);
    assert.deepEqual([...nodes.wide[0]], [...lanes.wide[1]]);
    return { cells: lanes.cells.subarray(WIDTH), wide: lanes.wide[1] };
  },
};

// Many short operations, against a drawing that looks at each of them.
for (const [way, drawn] of Object.entries(WAYS)) test(`what is seen ${way} is what looking at each operation gives, to a pixel`, () => {
  const count = 24_000;
  const rows = [];
  let time = 0, state = 7;
  for (let i = 0; i < count; i++) {
    state = (state * 1103515245 + 12345) % 2147483648;
    time += state % 97;
    rows.push([time, state % 41, 1 + (state % 50 === 0) + (state % 51 === 0), 0]);
    time += state % 41;
  }
  const ops = opsOf(rows);
  for (const view of [{ from: 0, to: time }, { from: time / 3, to: time / 2 }, { from: 100, to: 5000 }, { from: 100, to: 1000 }]) {
    const { cells, wide } = drawn(ops, view), scale = WIDTH / (view.to - view.from);
    for (const [i, [call, took, outcome]] of rows.entries()) {
      if (wide.includes(i)) continue;
      const x = Math.floor((call - view.from) * scale);
      if (x < 0 || x >= WIDTH) continue;
      assert.ok(cells[x] >= outcome + 1 || (outcome + 1 <= Math.max(cells[x - 1] ?? 0, cells[x + 1] ?? 0)), `op ${i} is not seen`);
    }
    const seen = cells.filter((one) => one > 0).length;
    const long = rows.filter(([, took]) => took * scale >= 5).length;
    assert.ok(seen > 0 || long > 0);
  }
});

test("an operation is found at a point, the last called of those that cover it", () => {
  const ops = opsOf([[0, 100, 1], [50, 10, 1], [200, 10, 1]]);
  const rows = [0, 1, 2];
  assert.equal(page.opAt(ops, rows, 0, 3, 55, 5, 100), 1);
  assert.equal(page.opAt(ops, rows, 0, 3, 90, 5, 100), 0);
  assert.equal(page.opAt(ops, rows, 0, 3, 197, 5, 100), 2);
  assert.equal(page.opAt(ops, rows, 0, 3, 150, 5, 100), -1);
});

test("an operation is found by the index of its call and of its completion", () => {
  const ops = opsOf([[0, 1, 1, 0, 0, 0, 0, 3], [1, 1, 1, 0, 0, 0, 1, 1], [2, 1, 0, 0, 0, 0, 4, 0]]);
  assert.deepEqual([0, 3, 1, 2, 4, 5].map((index) => page.rowOfIndex(ops, index)), [0, 0, 1, 1, 2, -1]);
});

test("faults that overlap stand in rows of their own", () => {
  const faults = [{ begin: 0, end: 10 }, { begin: 5, end: null }, { begin: 10, end: 20 }, { begin: 15, end: 16 }];
  assert.deepEqual(page.stacked(faults, 100), [0, 1, 0, 2]);
});

test("rates count completions by outcome, quantiles are within a step of the true ones", () => {
  const rows = [];
  for (let i = 0; i < 1000; i++) rows.push([i * 10, 100 + i, 1]);
  rows.push([0, 50, 2], [0, 50, 3], [0, 0, 0]);
  const ops = opsOf(rows);
  const bins = page.binned(ops, { from: 0, to: 20000 }, 1, null);
  assert.deepEqual([1, 2, 3].map((outcome) => bins.counts[outcome][0]), [1000, 1, 1]);
  for (const [i, exact] of [[0, 600], [1, 1050], [2, 1090], [3, 1099]]) {
    const found = bins.quantiles[i][0];
    assert.ok(found / exact < 1.22 && exact / found < 1.22, `${found} for ${exact}`);
  }
});

test("the scale of offsets keeps order and sign", () => {
  const scaled = [-1e8, -1000, 0, 5000, 1e8].map(page.bent);
  assert.deepEqual(scaled, [...scaled].sort((a, b) => a - b));
  assert.equal(page.bent(0), 0);
});

test("log lines of the range in order of time, those before the run where its start is seen", () => {
  const logs = [{ node: "n1", times_us: [-1, 500], lines: ["boot", "late"] }, { node: "n2", times_us: [300], lines: ["mid"] }];
  assert.deepEqual(plain(page.logLines(logs, { from: -5, to: 1000 }, "").map((one) => one[2])), ["boot", "mid", "late"]);
  assert.deepEqual(plain(page.logLines(logs, { from: 200, to: 400 }, "").map((one) => one[2])), ["mid"]);
  assert.deepEqual(page.logLines(logs, { from: -5, to: 1000 }, "n2").length, 1);
});
