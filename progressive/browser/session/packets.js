// Packets as wire/FORMAT.md has them, read and written.

import { crc32c } from "./crc32c.js";
import { WireError } from "./errors.js";

export const DATA = 0, CONTROL = 1, FEEDBACK = 2, STRIPES = 3, MANIFEST = 4;

const VERSION = 1, HEADER = 17, CHECK = 4;
const MAX_DATAGRAM = 1472, MAX_INDEX = 255;
export const MAX_SOURCES = 64; // of a block
const MAX_STRIPED = MAX_INDEX + 1 - MAX_SOURCES;

export const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * The one packet that a datagram holds: { kind, stream, sequence, block, index, k, n, payload }.
 *
 * @param {Uint8Array} datagram
 * @throws {WireError} for anything else.
 */
export function parsePacket(datagram) {
  const size = datagram.length;
  if (size < HEADER + CHECK || size > MAX_DATAGRAM) throw new WireError(`datagram of ${size} bytes`);
  const view = viewOf(datagram);
  const first = view.getUint8(0), length = view.getUint16(15);
  if (first >> 4 !== VERSION) throw new WireError(`packet version ${first >> 4}`);
  if (view.getUint8(1)) throw new WireError("packet is sealed or has unknown flags");
  if (size !== HEADER + length + CHECK) throw new WireError("datagram is not as long as it promises");
  const end = size - CHECK;
  if (view.getUint32(end) !== crc32c(datagram.subarray(0, end))) throw new WireError("packet is damaged");
  const packet = {
    kind: first & 15,
    stream: view.getUint32(2),
    sequence: view.getUint32(6),
    block: view.getUint16(10),
    index: view.getUint8(12),
    k: view.getUint8(13),
    n: view.getUint8(14),
    payload: datagram.subarray(HEADER, end),
  };
  checkPlace(packet);
  return packet;
}

function checkPlace({ kind, block, index, k, n }) {
  if (kind > MANIFEST) throw new WireError(`packet of unknown kind ${kind}`);
  const possible = {
    [DATA]: k >= 1 && k <= MAX_SOURCES && n >= k,
    [STRIPES]: !block && !k && index < MAX_STRIPED,
    [CONTROL]: !(block || index || k || n),
    [FEEDBACK]: !(block || index || k || n),
    [MANIFEST]: !(block || index || k || n),
  };
  if (!possible[kind]) throw new WireError(`packet of an impossible place: block ${block}, index ${index}, k ${k}, n ${n}`);
}

/** The bytes of a feedback packet. */
export function feedbackPacket(stream, sequence, payload) {
  const bytes = new Uint8Array(HEADER + payload.length + CHECK), view = viewOf(bytes);
  const end = HEADER + payload.length;
  view.setUint8(0, (VERSION << 4) | FEEDBACK);
  view.setUint32(2, stream);
  view.setUint32(6, sequence);
  view.setUint16(15, payload.length);
  bytes.set(payload, HEADER);
  view.setUint32(end, crc32c(bytes.subarray(0, end)));
  return bytes;
}
