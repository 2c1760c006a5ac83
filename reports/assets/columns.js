// Parcels of columns, as reports/packing.py makes them: base64, deflate, one line of JSON, byte planes.

const NEWLINE = 10;

function bytesOfBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// Read in chunks: a Blob or a Response would take the bytes through another process.
async function inflated(bytes) {
  const { writable, readable } = new DecompressionStream("deflate-raw");
  const writer = writable.getWriter();
  writer.write(bytes);
  writer.close();
  const chunks = [];
  let length = 0;
  for (let reader = readable.getReader(), { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    chunks.push(value);
    length += value.length;
  }
  const whole = new Uint8Array(length);
  let end = 0;
  for (const chunk of chunks) {
    whole.set(chunk, end);
    end += chunk.length;
  }
  return whole;
}

const DIFFERENCES = 1, OCTETS = 2; // see reports/packing.py

// The numbers of one column. Octets are the numbers. Widths up to 3 bytes are put together with integer
// arithmetic; a zigzag number of more is beyond 32 bits, so that doubles are needed.
function numbersOf(bytes, offset, count, width, kind) {
  if (kind === OCTETS) return bytes.subarray(offset, offset + count);
  const rising = kind === DIFFERENCES ? 1 : 0;
  const out = new (width > 3 || rising ? Float64Array : Int32Array)(count);
  if (width <= 3) unpackedSmall(out, bytes, offset, count, width, rising);
  else unpackedWide(out, bytes, offset, count, width, rising);
  return out;
}

// Differences (rising is 1) are added up on the way, in one go over the bytes.
function unpackedSmall(out, bytes, offset, count, width, rising) {
  const second = offset + count, third = second + count;
  for (let i = 0, sum = 0; i < count; i++) {
    let zigzag = bytes[offset + i];
    if (width > 1) zigzag |= bytes[second + i] << 8;
    if (width > 2) zigzag |= bytes[third + i] << 16;
    out[i] = sum = rising * sum + ((zigzag >>> 1) ^ -(zigzag & 1));
  }
}

function unpackedWide(out, bytes, offset, count, width, rising) {
  for (let i = 0, sum = 0; i < count; i++) {
    let zigzag = 0;
    for (let at = offset + i + (width - 1) * count; at >= offset; at -= count) zigzag = zigzag * 256 + bytes[at];
    out[i] = sum = rising * sum + (zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2);
  }
}

// {header, columns: name -> numbers, tail: the bytes after the planes}. A column is unpacked when it is
// first asked for: the timeline is drawn from half of them.
function unpackedBytes(raw) {
  const end = raw.indexOf(NEWLINE);
  const header = JSON.parse(new TextDecoder().decode(raw.subarray(0, end)));
  const columns = {};
  let offset = end + 1;
  for (const [name, count, width, kind] of header.columns) {
    const at = offset;
    define(columns, name, () => numbersOf(raw, at, count, width, kind));
    offset += count * width;
  }
  return { header, columns, tail: raw.subarray(offset) };
}

// A property that is made when it is first read.
function define(object, name, make) {
  const get = () => {
    const value = make();
    Object.defineProperty(object, name, { value, enumerable: true });
    return value;
  };
  Object.defineProperty(object, name, { get, enumerable: true, configurable: true });
}

async function unpacked(base64) {
  return unpackedBytes(await inflated(bytesOfBase64(base64)));
}
