// Colours come from the style sheet, so that light, dark and print are decided in one place.

const COLOURS = ["ink", "quiet", "line", "paper", "ok", "fail", "info", "dim", "network", "clock", "process",
  "other", "witness", "focus", "p50", "p95", "p99", "max"];

function palette() {
  const style = getComputedStyle(document.documentElement);
  const colours = {};
  for (const name of COLOURS) colours[name] = style.getPropertyValue(`--${name}`).trim() || "#888";
  return colours;
}

// A tile per family of faults: the direction of its lines tells it apart where colours do not.
function hatch(context, family, colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const t = tile.getContext("2d");
  t.strokeStyle = t.fillStyle = colour;
  t.lineWidth = 1.2;
  t.beginPath();
  if (family === "network") for (const x of [-8, 0, 8]) { t.moveTo(x, 8); t.lineTo(x + 8, 0); }
  else if (family === "process") for (const x of [0, 8]) { t.moveTo(x, 0); t.lineTo(8 - x, 8); t.moveTo(0, 8 - x); t.lineTo(8, x); }
  else if (family === "clock") { t.rect(1, 1, 1.6, 1.6); t.rect(5, 5, 1.6, 1.6); }
  else for (const y of [4]) { t.moveTo(0, y); t.lineTo(8, y); }
  if (family === "clock") t.fill();
  else t.stroke();
  return context.createPattern(tile, "repeat");
}

// A canvas with one unit per CSS px, sharp on every screen.
function fitted(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const wide = Math.round(width * ratio), high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.height = `${height}px`;
    canvas.style.width = `${width}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

const FONT = "12px system-ui, sans-serif";

function clippedText(context, text, x, y, room) {
  if (room < 14) return;
  let shown = text;
  if (context.measureText(shown).width > room) {
    const most = Math.floor((shown.length * room) / context.measureText(shown).width) - 1;
    if (most < 2) return;
    shown = `${shown.slice(0, most)}…`;
  }
  context.fillText(shown, x, y);
}
