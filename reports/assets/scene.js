// What the timeline is made of, without any drawing: lanes, views, filters, what lies where. All times
// are in microseconds of the run.

const NONE = 0, OK = 1, FAIL = 2, INFO = 3;
const UNSEEN = 0, DIMMED = 1, SEEN_OK = 2, SEEN_FAIL = 3, SEEN_INFO = 4;
const SEEN_AS = [SEEN_INFO, SEEN_OK, SEEN_FAIL, SEEN_INFO]; // by outcome

// Rows of each group in their order, by counting: rows[starts[g]] to rows[starts[g + 1] - 1].
function grouped(groups, count) {
  const starts = new Int32Array(count + 1);
  for (let i = 0; i < groups.length; i++) if (groups[i] >= 0) starts[groups[i] + 1]++;
  for (let g = 0; g < count; g++) starts[g + 1] += starts[g];
  const next = starts.slice();
  const rows = new Int32Array(starts[count]);
  for (let i = 0; i < groups.length; i++) if (groups[i] >= 0) rows[next[groups[i]]++] = i;
  return { rows, starts };
}

// One lane per client: processes that follow each other in one thread share it if the number of
// threads is known. Returns the lane of each process and the processes of each lane.
function clientLanes(processes, concurrency) {
  const lanes = [];
  const placeOf = new Map();
  const laneOf = Int32Array.from(processes, (one) => {
    const label = concurrency ? one % concurrency : one;
    if (!placeOf.has(label)) placeOf.set(label, lanes.push({ label, processes: [] }) - 1);
    lanes[placeOf.get(label)].processes.push(one);
    return placeOf.get(label);
  });
  return { laneOf, lanes };
}

// First position in rows[from..to) whose time is at least t.
function firstAtLeast(times, rows, from, to, t) {
  while (from < to) {
    const middle = (from + to) >> 1;
    if (times[rows[middle]] < t) from = middle + 1;
    else to = middle;
  }
  return from;
}

// The longest operation of each group: how far left of a view its operations may begin. Found out when
// first asked for, as a view of the whole run need not know.
function widestOf(ops, group) {
  return (group.widest ||= longest(ops, group, group.starts.length - 1));
}

function longest(ops, group, count) {
  const most = new Float64Array(count);
  const { rows, starts } = group, { took } = ops;
  for (let g = 0; g < count; g++) {
    let longestYet = 0;
    for (let i = starts[g]; i < starts[g + 1]; i++) {
      const one = took[rows[i]];
      if (one > longestYet) longestYet = one;
    }
    most[g] = longestYet;
  }
  return most;
}

function clamped(view, end) {
  const least = 20;
  const span = Math.min(Math.max(view.to - view.from, least), end * 1.04 + least);
  const from = Math.min(Math.max(view.from, -0.02 * end - least), end * 1.02 + least - span);
  return { from, to: from + span };
}

// The view, factor times as wide, where what is at time `at` stays in its place.
function zoomed(view, factor, at) {
  return { from: at - (at - view.from) * factor, to: at + (view.to - at) * factor };
}

function panned(view, part) {
  const by = (view.to - view.from) * part;
  return { from: view.from + by, to: view.to + by };
}

// A view that shows these times with room on both sides.
function around(from, to, least) {
  const room = Math.max((to - from) * 0.4, least);
  return { from: from - room, to: to + room };
}

// At most about `most` round times from `from` to `to`.
function ticks(from, to, most) {
  const rough = (to - from) / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) || 10 * power;
  const found = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) found.push(n * step);
  return { step, found };
}

// A time, as exactly as neighbours `step` apart need it.
function timeText(us, step) {
  const digits = Math.min(Math.max(Math.ceil(-Math.log10((step || 1000) / 1e6)), 0), 6);
  const [whole, part] = (us / 1e6).toFixed(digits).split(".");
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ",")}${part ? `.${part}` : ""} s`;
}

function durationText(us) {
  if (us >= 1e6) return `${Number((us / 1e6).toPrecision(4))} s`;
  if (us >= 1e3) return `${Number((us / 1e3).toPrecision(4))} ms`;
  return `${Math.round(us)} µs`;
}

// Which operations pass: 1 or 0 for each. A condition that is null does not count.
function passing(ops, laneOf, wanted) {
  const { count, process, f, node, outcome, key } = ops;
  const { outcomes, keys, witness } = wanted;
  const mask = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    mask[i] = (wanted.lane === null || laneOf[process[i]] === wanted.lane)
      && (wanted.f === null || f[i] === wanted.f)
      && (wanted.node === null || node[i] === wanted.node)
      && outcomes[outcome[i]]
      && (keys === null || keys[key[i]])
      && (witness === null || witness.has(i)) ? 1 : 0;
  }
  return mask;
}

const WIDE = 5; // pixels, from which on an operation is drawn alone

// What there is to see of every lane and every node, pixel by pixel, in one go over all operations and
// without grouping them: what is quickest for a short run. cells[lane * width + x] is the most telling of
// the operations that are too short to be drawn alone; the others are in wide[lane]. Node 0 is none.
function pictured(run, view, width, mask) {
  const { call, took, outcome, process, node, count } = run.ops, { laneOf } = run;
  const lanes = emptyPicture(run.lanes.length, width), nodes = emptyPicture(run.nodes.length, width);
  const scale = width / (view.to - view.from), start = view.from, stop = view.to;
  for (let row = 0; row < count && call[row] <= stop; row++) {
    const left = (call[row] - start) * scale, right = left + took[row] * scale;
    if (right < 0) continue;
    const lane = laneOf[process[row]];
    if (right - left >= WIDE) {
      lanes.wide[lane].push(row);
      nodes.wide[node[row]].push(row);
      continue;
    }
    const seen = mask === null || mask[row] ? SEEN_AS[outcome[row]] : DIMMED;
    const first = left < 0 ? 0 : left | 0, last = right >= width ? width - 1 : right | 0;
    const ofLane = lane * width, ofNode = node[row] * width;
    for (let x = first; x <= last; x++) {
      if (lanes.cells[ofLane + x] < seen) lanes.cells[ofLane + x] = seen;
      if (nodes.cells[ofNode + x] < seen) nodes.cells[ofNode + x] = seen;
    }
  }
  return { lanes, nodes };
}

function emptyPicture(count, width) {
  return { cells: new Uint8Array(count * width), wide: Array.from({ length: count }, () => []) };
}

const BLOCK = 8;

// Neighbours of a group, eight at a time: when the first begins, when the last ends, and what there is to
// see of them. Where eight of them fit into a pixel or so, they need not be looked at one by one.
function blocksOf(ops, rows, mask) {
  const count = Math.ceil(rows.length / BLOCK);
  const begin = new Float64Array(count), end = new Float64Array(count), seen = new Uint8Array(count);
  const { call, took, outcome } = ops;
  for (let block = 0, i = 0; block < count; block++) {
    const stop = Math.min(i + BLOCK, rows.length);
    let latest = begin[block] = call[rows[i]], most = UNSEEN;
    for (; i < stop; i++) {
      const row = rows[i], until = call[row] + took[row];
      if (until > latest) latest = until;
      const one = mask === null || mask[row] ? SEEN_AS[outcome[row]] : DIMMED;
      if (one > most) most = one;
    }
    end[block] = latest;
    seen[block] = most;
  }
  return { begin, end, seen };
}

// The same of one group of a long run, whose operations are grouped and in blocks.
function shrunk(ops, rows, blocks, from, to, view, width, mask, cells, wide, widest) {
  const scale = width / (view.to - view.from), start = view.from, stop = view.to;
  const { call, took, outcome } = ops, { begin, end, seen } = blocks;
  let i = firstAtLeast(call, rows, from, to, start - widest);
  while (i < to) {
    const block = i >> 3;
    if ((i & 7) === 0 && i + BLOCK <= to && (end[block] - begin[block]) * scale < 1.5) {
      if (begin[block] > stop) break;
      put(cells, width, (begin[block] - start) * scale, (end[block] - start) * scale, seen[block]);
      i += BLOCK;
      continue;
    }
    const row = rows[i++];
    if (call[row] > stop) break;
    const left = (call[row] - start) * scale;
    const right = left + took[row] * scale;
    if (right - left >= WIDE) {
      if (right >= 0) wide.push(row);
    } else {
      put(cells, width, left, right, mask === null || mask[row] ? SEEN_AS[outcome[row]] : DIMMED);
    }
  }
}

function put(cells, width, left, right, seen) {
  if (right < 0) return;
  const first = left < 0 ? 0 : left | 0;
  let last = right | 0;
  if (last >= width) last = width - 1;
  if (cells[first] < seen) cells[first] = seen;
  for (let x = first + 1; x <= last; x++) if (cells[x] < seen) cells[x] = seen;
}

// The stretches of equal cells that there is something to see of: for each code [from, to, from, to, ...].
function stretches(cells) {
  const found = [[], [], [], [], []], width = cells.length;
  for (let from = 0; from < width;) {
    const code = cells[from];
    let to = from + 1;
    while (to < width && cells[to] === code) to++;
    if (code !== UNSEEN) found[code].push(from, to);
    from = to;
  }
  return found;
}

// The operation of a lane at a time, -1 if there is none within `slack`: of those that cover the time
// the last to be called, else the nearest.
function opAt(ops, rows, from, to, time, slack, widest) {
  let best = -1;
  let distance = slack;
  let i = firstAtLeast(ops.call, rows, from, to, time - widest - slack);
  for (; i < to && ops.call[rows[i]] <= time + slack; i++) {
    const row = rows[i];
    const end = ops.call[row] + ops.took[row];
    const away = Math.max(ops.call[row] - time, time - end, 0);
    if (away <= distance) {
      best = row;
      distance = away;
    }
  }
  return best;
}

// The row with this event as its call or its completion, -1 if there is none. Calls are sorted.
function rowOfIndex(ops, index) {
  let from = 0, to = ops.count;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (ops.index[middle] < index) from = middle + 1;
    else to = middle;
  }
  if (from < ops.count && ops.index[from] === index) return from;
  for (let i = from - 1; i >= 0; i--) if (ops.index[i] + ops.ret[i] === index && ops.ret[i]) return i;
  return -1;
}

// Faults in as few rows as do not overlap: the row of each.
function stacked(faults, end) {
  const free = [];
  return faults.map((fault) => {
    let row = free.findIndex((until) => until <= fault.begin);
    if (row < 0) row = free.length;
    free[row] = fault.end === null ? end : fault.end;
    return row;
  });
}

const LATENCY_STEPS = 12;

// Latencies as steps of a logarithmic scale: 12 to a factor of ten, from a microsecond on.
function latencyStep(us) {
  return us < 1 ? 0 : Math.min(Math.round(Math.log10(us) * LATENCY_STEPS), 127);
}

function latencyOfStep(step) {
  return 10 ** (step / LATENCY_STEPS);
}

// Counts by outcome and latency quantiles in `count` equal parts of a view, of operations that ended.
function binned(ops, view, count, mask) {
  const width = (view.to - view.from) / count;
  const counts = [null, new Int32Array(count), new Int32Array(count), new Int32Array(count)];
  const steps = new Int32Array(count * 128);
  const { call, took, outcome, step } = ops;
  for (let i = 0; i < ops.count; i++) {
    const ended = outcome[i];
    if (ended === NONE || (mask !== null && !mask[i])) continue;
    const bin = Math.floor((call[i] + took[i] - view.from) / width);
    if (bin < 0 || bin >= count) continue;
    counts[ended][bin]++;
    if (ended === OK) steps[bin * 128 + step[i]]++;
  }
  return { view, count, width, counts, quantiles: quantiles(counts[OK], steps, [0.5, 0.95, 0.99, 1]) };
}

function quantiles(totals, steps, wanted) {
  return wanted.map((quantile) => {
    const found = new Float64Array(totals.length).fill(-1);
    for (let bin = 0; bin < totals.length; bin++) {
      if (!totals[bin]) continue;
      const rank = Math.max(Math.ceil(totals[bin] * quantile), 1);
      let sum = 0;
      for (let step = 0; step < 128; step++) {
        sum += steps[bin * 128 + step];
        if (sum >= rank) {
          found[bin] = latencyOfStep(step);
          break;
        }
      }
    }
    return found;
  });
}
