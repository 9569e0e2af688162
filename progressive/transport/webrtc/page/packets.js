// Packets as wire/FORMAT.md has them, read and written.

export const DATA = 0, CONTROL = 1, FEEDBACK = 2, STRIPES = 3;
const VERSION = 1, HEADER = 17, CHECK = 4;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0x82f63b78 : byte >>> 1;
  return byte;
});

function crc32c(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/** The packet in an ArrayBuffer; null if it holds none. */
export function parsePacket(buffer) {
  if (buffer.byteLength < HEADER + CHECK) return null;
  const view = new DataView(buffer);
  const length = view.getUint16(15);
  if (view.getUint8(0) >> 4 !== VERSION || view.getUint8(1) !== 0) return null;
  if (buffer.byteLength !== HEADER + length + CHECK) return null;
  if (view.getUint32(HEADER + length) !== crc32c(new Uint8Array(buffer, 0, HEADER + length))) return null;
  return {
    kind: view.getUint8(0) & 15,
    stream: view.getUint32(2),
    sequence: view.getUint32(6),
    block: view.getUint16(10),
    index: view.getUint8(12),
    k: view.getUint8(13),
    n: view.getUint8(14),
    size: buffer.byteLength,
    payload: new Uint8Array(buffer, HEADER, length),
  };
}

/** The records [id, bytes] of a source packet; id 0 is the stream header. */
export function* records(payload) {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  for (let at = 0; at + 4 <= payload.byteLength; ) {
    const id = view.getUint16(at), length = view.getUint16(at + 2);
    at += 4;
    if ((id === 0 && length === 0) || at + length > payload.byteLength) return;
    yield [id, payload.subarray(at, at + length)];
    at += length;
  }
}

/** What a stream header tells of the photo; null if it is too short to be one. */
export function parseHeader(bytes) {
  if (bytes.byteLength < 16) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { width: view.getUint16(9), height: view.getUint16(11), segments: view.getUint16(13) };
}

/** The bytes of a feedback packet. */
export function feedbackPacket(stream, sequence, payload) {
  const bytes = new Uint8Array(HEADER + payload.length + CHECK);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, (VERSION << 4) | FEEDBACK);
  view.setUint32(2, stream);
  view.setUint32(6, sequence);
  view.setUint16(15, payload.length);
  bytes.set(payload, HEADER);
  view.setUint32(HEADER + payload.length, crc32c(bytes.subarray(0, HEADER + payload.length)));
  return bytes;
}
