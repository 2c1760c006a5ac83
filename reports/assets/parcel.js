// The run, as the page's functions want it: operations as columns, the rest as it was packed.

async function openedRun(base64) {
  const { header, columns } = await unpacked(base64);
  const ops = Object.assign(columns, { count: columns.call.length });
  const { laneOf, lanes } = clientLanes(header.processes, header.concurrency);
  const run = { ...header, ops, laneOf, lanes, faultRows: stacked(header.faults, header.end), texts: null };
  define(run, "byLane", () => groupOf(Int32Array.from(ops.process, (process) => laneOf[process]), lanes.length));
  define(run, "byNode", () => groupOf(ops.node, header.nodes.length)); // 0 are those of no node
  run.anomalies = header.anomalies.map((one) => ({ ...one, rows: witnessRows(run, one.ops) }));
  run.witness = new Set(run.anomalies.flatMap((one) => one.rows));
  return run;
}

function groupOf(groups, count) {
  return { ...grouped(groups, count), widest: null, blocks: null, mask: null };
}

// The blocks of a group; a filter changes what there is to see of them.
function blocksUnder(ops, group, mask) {
  if (group.blocks === null || group.mask !== mask) Object.assign(group, { blocks: blocksOf(ops, group.rows, mask), mask });
  return group.blocks;
}

function laneOfRow(run, row) {
  return run.laneOf[run.ops.process[row]];
}

function witnessRows(run, indices) {
  return [...new Set(indices.map((index) => rowOfIndex(run.ops, index)))].filter((row) => row >= 0);
}

// Latencies are needed by the strips alone, which are drawn after the timeline.
function addSteps(ops) {
  const { took } = ops, step = new Uint8Array(ops.count);
  for (let i = 0; i < ops.count; i++) step[i] = latencyStep(took[i]);
  ops.step = step;
}

// Values come in the second parcel: codes, and texts that are decoded one by one when they are shown.
async function addTexts(run, base64) {
  const { header, columns, tail } = await unpacked(base64);
  const ends = new Float64Array(columns.length.length);
  let end = 0;
  for (let i = 0; i < ends.length; i++) ends[i] = end += columns.length[i];
  const decoder = new TextDecoder();
  const text = (code) => code ? decoder.decode(tail.subarray(ends[code - 1], ends[code])) : "";
  run.ops.key = columns.key;
  run.ops.error = columns.error;
  run.ops.argument = spread(columns.argument, columns.said, 1);
  run.ops.value = spread(columns.value, columns.said, 2);
  run.texts = { count: ends.length, text };
  run.logs = header.logs;
}

// The numbers of the rows that have the flag, 0 in the others.
function spread(numbers, flags, flag) {
  const all = new Int32Array(flags.length);
  let next = 0;
  for (let i = 0; i < flags.length; i++) if (flags[i] & flag) all[i] = numbers[next++];
  return all;
}

// What an operation has under a name that texts are for; nothing before they have come.
function textOf(run, name, row) {
  return run.texts ? run.texts.text(run.ops[name][row]) : "";
}

function opFields(run, row) {
  const { ops, texts } = run;
  const text = (name) => textOf(run, name, row);
  const outcome = ops.outcome[row];
  return {
    index: ops.index[row],
    ret: ops.ret[row] ? ops.index[row] + ops.ret[row] : null,
    call: ops.call[row],
    took: ops.took[row],
    outcome: ["no completion", "ok", "fail", "info"][outcome],
    process: run.processes[ops.process[row]],
    f: run.fs[ops.f[row]],
    node: run.nodes[ops.node[row]],
    key: text("key"),
    argument: text("argument"),
    value: texts && ops.value[row] ? text("value") : "",
    error: text("error"),
  };
}

function activeFaults(run, from, to) {
  return run.faults.filter((one) => one.begin <= to && (one.end === null || one.end >= from));
}
