// What the timeline is made of, without any drawing: lanes, views, filters, what lies where. All times
// are in microseconds of the run.

const NONE = 0, OK = 1, FAIL = 2, INFO = 3;
const UNSEEN = 0, DIMMED = 1, SEEN_OK = 2, SEEN_FAIL = 3, SEEN_INFO = 4;

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
// threads is known. Returns the lane of each operation and the processes of each lane.
function clientLanes(process, concurrency) {
  const seen = new Set();
  for (let i = 0; i < process.length; i++) seen.add(process[i]);
  const processes = [...seen].sort((a, b) => a - b);
  const laneOf = new Map();
  const lanes = [];
  for (const one of processes) {
    const label = concurrency ? one % concurrency : one;
    let place = lanes.findIndex((lane) => concurrency && lane.label === label);
    if (place < 0) place = lanes.push({ label, processes: [] }) - 1;
    lanes[place].processes.push(one);
    laneOf.set(one, place);
  }
  const lane = new Int32Array(process.length);
  for (let i = 0; i < process.length; i++) lane[i] = laneOf.get(process[i]);
  return { lane, lanes };
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

// A group's longest operation: how far left of a view its operations may begin.
function longest(ops, group, count) {
  const most = new Float64Array(count);
  for (let g = 0; g < count; g++) {
    for (let i = group.starts[g]; i < group.starts[g + 1]; i++) {
      const took = ops.took[group.rows[i]];
      if (took > most[g]) most[g] = took;
    }
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
  return `${(us / 1e6).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} s`;
}

function durationText(us) {
  if (us >= 1e6) return `${Number((us / 1e6).toPrecision(4))} s`;
  if (us >= 1e3) return `${Number((us / 1e3).toPrecision(4))} ms`;
  return `${Math.round(us)} µs`;
}

// Which operations pass: 1 or 0 for each. A condition that is null does not count.
function passing(ops, lane, wanted) {
  const mask = new Uint8Array(ops.count);
  const { outcomes, keys, witness } = wanted;
  for (let i = 0; i < ops.count; i++) {
    mask[i] = (wanted.lane === null || lane[i] === wanted.lane)
      && (wanted.f === null || ops.f[i] === wanted.f)
      && (wanted.node === null || ops.node[i] === wanted.node)
      && outcomes[ops.outcome[i]]
      && (keys === null || keys[ops.key[i]])
      && (witness === null || witness.has(i)) ? 1 : 0;
  }
  return mask;
}

const BLOCK = 8;

// Neighbours of a group, eight at a time: when the first begins, when the last ends, and what there is to
// see of them. Where eight of them fit into a pixel or so, they need not be looked at one by one.
function blocksOf(ops, rows, mask) {
  const count = Math.ceil(rows.length / BLOCK);
  const begin = new Float64Array(count), end = new Float64Array(count), seen = new Uint8Array(count);
  for (let i = 0; i < rows.length; i++) {
    const block = i >> 3, row = rows[i];
    if (i % BLOCK === 0) begin[block] = end[block] = ops.call[row];
    const until = ops.call[row] + ops.took[row];
    if (until > end[block]) end[block] = until;
    const one = seenOf(ops, row, mask);
    if (one > seen[block]) seen[block] = one;
  }
  return { begin, end, seen };
}

function seenOf(ops, row, mask) {
  if (mask !== null && !mask[row]) return DIMMED;
  return ops.outcome[row] === NONE ? SEEN_INFO : ops.outcome[row] + 1;
}

// What there is to see of a lane, pixel by pixel: cells[x] becomes the most telling of the operations
// that are too short to be drawn alone; the others are put into `wide`.
function shrunk(ops, rows, blocks, from, to, view, width, mask, cells, wide, widest) {
  const scale = width / (view.to - view.from);
  let i = firstAtLeast(ops.call, rows, from, to, view.from - widest);
  while (i < to) {
    const block = i >> 3;
    if ((i & 7) === 0 && i + BLOCK <= to && (blocks.end[block] - blocks.begin[block]) * scale < 1.5) {
      if (blocks.begin[block] > view.to) break;
      put(cells, width, (blocks.begin[block] - view.from) * scale, (blocks.end[block] - view.from) * scale, blocks.seen[block]);
      i += BLOCK;
      continue;
    }
    const row = rows[i++];
    const call = ops.call[row];
    if (call > view.to) break;
    const left = (call - view.from) * scale;
    const right = left + ops.took[row] * scale;
    if (right - left >= 5) {
      if (right >= 0) wide.push(row);
    } else {
      put(cells, width, left, right, seenOf(ops, row, mask));
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
  for (let i = 0; i < ops.count; i++) {
    const outcome = ops.outcome[i];
    if (outcome === NONE || (mask !== null && !mask[i])) continue;
    const bin = Math.floor((ops.call[i] + ops.took[i] - view.from) / width);
    if (bin < 0 || bin >= count) continue;
    counts[outcome][bin]++;
    if (outcome === OK) steps[bin * 128 + ops.step[i]]++;
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
