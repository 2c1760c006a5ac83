// Parcels of columns, as reports/packing.py makes them: base64, deflate, one line of JSON, byte planes.

const NEWLINE = 10;

function bytesOfBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The numbers of one column. Widths up to 4 bytes are put together with integer arithmetic; a zigzag
// number of more is beyond 32 bits, so that doubles are needed.
function numbersOf(bytes, offset, count, width, delta) {
  const Kind = width > 3 || delta ? Float64Array : Int32Array;
  const out = new Kind(count);
  let before = 0;
  for (let i = 0; i < count; i++) {
    let value;
    if (width <= 3) {
      let zigzag = bytes[offset + i];
      if (width > 1) zigzag |= bytes[offset + count + i] << 8;
      if (width > 2) zigzag |= bytes[offset + 2 * count + i] << 16;
      value = (zigzag >>> 1) ^ -(zigzag & 1);
    } else {
      let zigzag = 0;
      for (let plane = width - 1; plane >= 0; plane--) {
        zigzag = zigzag * 256 + bytes[offset + plane * count + i];
      }
      value = zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
    }
    if (delta) value += before;
    before = value;
    out[i] = value;
  }
  return out;
}

// {header, columns: name -> numbers, tail: the bytes after the planes}
function unpackedBytes(raw) {
  const end = raw.indexOf(NEWLINE);
  const header = JSON.parse(new TextDecoder().decode(raw.subarray(0, end)));
  const columns = {};
  let offset = end + 1;
  for (const [name, count, width, delta] of header.columns) {
    columns[name] = numbersOf(raw, offset, count, width, delta);
    offset += count * width;
  }
  return { header, columns, tail: raw.subarray(offset) };
}

async function unpacked(base64) {
  return unpackedBytes(await inflated(bytesOfBase64(base64)));
}
