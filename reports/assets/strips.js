// The strips below the timeline, on the same axis of time: rates, latencies, clock offsets.

const STRIP = 96, PAD_TOP = 22, PAD_BOTTOM = 8;

function frame(canvas, run, view, colours) {
  const width = Math.max(canvas.parentElement.clientWidth, 320);
  const c = fitted(canvas, width, STRIP);
  const plot = width - GUTTER;
  const xOf = (time) => GUTTER + ((time - view.from) * plot) / (view.to - view.from);
  c.font = FONT;
  c.textBaseline = "middle";
  c.save();
  c.beginPath();
  c.rect(GUTTER, 0, plot, STRIP);
  c.clip();
  for (const fault of run.faults) {
    const left = xOf(fault.begin), right = xOf(fault.end === null ? run.end : fault.end);
    c.globalAlpha = 0.13;
    c.fillStyle = colours[fault.family];
    c.fillRect(left, 0, Math.max(right - left, 1), STRIP);
  }
  c.globalAlpha = 1;
  c.restore();
  c.strokeStyle = colours.line;
  c.strokeRect(GUTTER + 0.5, 0.5, plot - 1, STRIP - 1);
  return { c, width, plot, xOf };
}

function clipped(canvasFrame, drawing) {
  const { c, plot } = canvasFrame;
  c.save();
  c.beginPath();
  c.rect(GUTTER, 0, plot, STRIP);
  c.clip();
  drawing();
  c.restore();
}

function yScale(least, most) {
  const span = most - least || 1;
  return (value) => STRIP - PAD_BOTTOM - ((value - least) / span) * (STRIP - PAD_TOP - PAD_BOTTOM);
}

function label(c, text, y, colour) {
  c.fillStyle = colour;
  c.textAlign = "right";
  c.fillText(text, GUTTER - 6, Math.min(Math.max(y, 8), STRIP - 7));
  c.textAlign = "left";
}

function drawRates(canvas, run, bins, view, colours) {
  const strip = frame(canvas, run, view, colours);
  const { c, xOf } = strip;
  const perSecond = 1e6 / bins.width;
  let most = 0;
  for (let i = 0; i < bins.count; i++) most = Math.max(most, bins.counts[OK][i], bins.counts[FAIL][i], bins.counts[INFO][i]);
  const y = yScale(0, most || 1);
  clipped(strip, () => {
    for (const [outcome, colour, dash] of [[OK, colours.ok, []], [FAIL, colours.fail, [6, 3]], [INFO, colours.info, [2, 2]]]) {
      c.strokeStyle = colour;
      c.lineWidth = outcome === OK ? 1.6 : 2;
      c.setLineDash(dash);
      c.beginPath();
      let some = false;
      for (let i = 0; i < bins.count; i++) {
        const x = xOf(bins.view.from + i * bins.width), next = xOf(bins.view.from + (i + 1) * bins.width);
        some ||= bins.counts[outcome][i] > 0;
        c.lineTo(x, y(bins.counts[outcome][i]));
        c.lineTo(next, y(bins.counts[outcome][i]));
      }
      if (some || outcome === OK) c.stroke();
    }
    c.setLineDash([]);
  });
  label(c, `${Number((most * perSecond).toPrecision(3)).toLocaleString("en")} /s`, PAD_TOP, colours.quiet);
  label(c, "0 /s", STRIP - PAD_BOTTOM, colours.quiet);
}

const QUANTILES = [["p50", [], "median"], ["p95", [5, 3], "95 %"], ["p99", [2, 2], "99 %"], ["max", [8, 2, 2, 2], "max"]];

function drawLatencies(canvas, run, bins, view, colours) {
  const strip = frame(canvas, run, view, colours);
  const { c, xOf } = strip;
  let least = Infinity, most = 0;
  for (const value of bins.quantiles[0]) if (value >= 0) least = Math.min(least, value);
  for (const value of bins.quantiles[3]) most = Math.max(most, value);
  if (most === 0) return label(c, "none", STRIP / 2, colours.quiet);
  const y = yScale(Math.log10(Math.max(least * 0.8, 0.5)), Math.log10(most * 1.2));
  clipped(strip, () => {
    QUANTILES.forEach(([name, dash, text], number) => {
      c.strokeStyle = c.fillStyle = colours[name];
      c.lineWidth = number === 0 ? 2 : 1.3;
      c.setLineDash(dash);
      c.beginPath();
      let open = false;
      bins.quantiles[number].forEach((value, i) => {
        if (value < 0) return;
        const x = xOf(bins.view.from + (i + 0.5) * bins.width);
        if (open) c.lineTo(x, y(Math.log10(value)));
        else c.moveTo(x, y(Math.log10(value)));
        open = true;
      });
      c.stroke();
      c.setLineDash(dash);
      c.beginPath();
      const x = GUTTER + 12 + number * 86;
      c.moveTo(x, 10);
      c.lineTo(x + 22, 10);
      c.stroke();
      c.setLineDash([]);
      c.fillText(text, x + 27, 11);
    });
  });
  label(c, durationText(most), PAD_TOP + 4, colours.quiet);
  label(c, durationText(least), STRIP - PAD_BOTTOM - 2, colours.quiet);
}

// Offsets of milliseconds and of minutes fit on one scale that is logarithmic to both sides of zero.
function bent(us) {
  return Math.sign(us) * Math.log10(1 + Math.abs(us) / 1000);
}

function offsetText(us) {
  return us === 0 ? "0" : `${us > 0 ? "+" : "−"}${durationText(Math.abs(us))}`;
}

const DASHES = [[], [7, 3], [2, 2], [9, 3, 2, 3], [1, 3]];

function drawClocks(canvas, run, view, colours) {
  const strip = frame(canvas, run, view, colours);
  const { c, xOf } = strip;
  let least = 0, most = 0;
  for (const clock of run.clocks) {
    for (const [, , low, high] of clock.spans) {
      if (low === null) continue;
      least = Math.min(least, low);
      most = Math.max(most, high);
    }
  }
  const y = yScale(bent(least), bent(most));
  const inks = [colours.p50, colours.p95, colours.p99, colours.max, colours.network];
  clipped(strip, () => {
    c.strokeStyle = colours.line;
    c.beginPath();
    c.moveTo(GUTTER, y(0));
    c.lineTo(strip.width, y(0));
    c.stroke();
    run.clocks.forEach((clock, number) => {
      c.strokeStyle = c.fillStyle = inks[number % inks.length];
      c.lineWidth = 1.5;
      drawBand(c, clock, xOf, y);
      c.setLineDash(DASHES[number % DASHES.length]);
      c.beginPath();
      for (const [from, to, low, high] of clock.spans) {
        if (low === null) continue;
        const ends = Math.abs(low) > Math.abs(high) ? low : high;
        c.lineTo(xOf(from), y(bent(ends)));
        c.lineTo(xOf(to), y(bent(ends)));
      }
      c.stroke();
      const x = GUTTER + 12 + number * 74;
      c.beginPath();
      c.moveTo(x, 10);
      c.lineTo(x + 22, 10);
      c.stroke();
      c.setLineDash([]);
      c.fillText(clock.node, x + 27, 11);
    });
  });
  if (most > 0) label(c, offsetText(most), y(bent(most)), colours.quiet);
  if (least < 0) label(c, offsetText(least), y(bent(least)), colours.quiet);
  label(c, "0", y(0), colours.quiet);
}

function drawBand(c, clock, xOf, y) {
  c.globalAlpha = 0.16;
  for (const [from, to, low, high] of clock.spans) {
    if (low === null || low === high) continue;
    c.fillRect(xOf(from), y(bent(high)), Math.max(xOf(to) - xOf(from), 1), y(bent(low)) - y(bent(high)));
  }
  c.globalAlpha = 1;
}
