// One stream as it arrives: what came, what did not, and the report of it that the sender plans with.

import { CONTROL, DATA, STRIPES, feedbackPacket, parseHeader, records } from "./packets.js";

const MAX_SEQUENCES = 1 << 16, RECENT_BYTES = 32;

export class Stream {
  constructor(id) {
    this.id = id;
    this.header = null;
    this.arrived = new Map(); // sequence number -> packet, without its payload
    this.segments = new Set();
    this.blocks = new Map(); // number -> { k, indices }
    this.bytes = 0;
    this.first = Infinity;
    this.latest = -1;
    this.ended = false;
    this.reports = 0;
  }

  /** Takes a packet of this stream; false if it came before or is beyond all bounds. */
  take({ payload, ...packet }) {
    if (this.arrived.has(packet.sequence) || packet.sequence >= MAX_SEQUENCES) return false;
    this.arrived.set(packet.sequence, packet);
    this.bytes += packet.size;
    this.first = Math.min(this.first, packet.sequence);
    this.latest = Math.max(this.latest, packet.sequence);
    if (packet.kind === CONTROL) this.ended = true;
    if (packet.kind === DATA) this.#takeData(packet, payload);
    return true;
  }

  get expected() {
    return this.latest - this.first + 1;
  }

  get lost() {
    return this.expected - this.arrived.size;
  }

  get striped() {
    return [...this.arrived.values()].some((packet) => packet.kind === STRIPES);
  }

  get complete() {
    return this.header !== null && this.segments.size === this.header.segments;
  }

  /** The bytes of a report packet about what has come so far. */
  report(receiver) {
    this.reports += 1;
    const fields = {
      type: "report",
      stream: this.id,
      received: this.arrived.size,
      expected: this.expected,
      loss: new Float(this.lost / this.expected),
      burst: new Float(this.lost ? this.lost / this.#bursts() : 0),
      segments: this.segments.size,
      complete: this.complete,
      ended: this.ended,
      receiver,
      latest: this.latest,
      recent: this.#recent(),
    };
    return feedbackPacket(this.id, this.reports - 1, packMap(fields));
  }

  #takeData(packet, payload) {
    const block = this.blocks.get(packet.block) ?? { k: packet.k, indices: new Set() };
    block.indices.add(packet.index);
    this.blocks.set(packet.block, block);
    if (packet.index >= packet.k) return;
    for (const [id, bytes] of records(payload)) {
      if (id === 0) this.header ??= parseHeader(bytes);
      else this.segments.add(id);
    }
  }

  #bursts() {
    let bursts = 0;
    for (let n = this.first + 1; n <= this.latest; n++) {
      if (!this.arrived.has(n) && this.arrived.has(n - 1)) bursts += 1;
    }
    return bursts;
  }

  #recent() {
    const count = Math.min(RECENT_BYTES, Math.ceil((this.latest + 1) / 8));
    const bits = new Uint8Array(count);
    for (let back = 0; back < 8 * count; back++) {
      if (this.arrived.has(this.latest - back)) bits[back >> 3] |= 0x80 >> (back & 7);
    }
    return bits;
  }
}

class Float {
  constructor(value) {
    this.value = value;
  }
}

/** A msgpack map of up to 15 fields: texts, whole numbers of 32 bits, floats, booleans, bytes. */
function packMap(fields) {
  const entries = Object.entries(fields);
  const out = [0x80 | entries.length];
  for (const [name, value] of entries) {
    packText(out, name);
    packValue(out, value);
  }
  return Uint8Array.from(out);
}

function packText(out, text) {
  const bytes = new TextEncoder().encode(text);
  out.push(0xa0 | bytes.length, ...bytes);
}

function packValue(out, value) {
  if (typeof value === "boolean") out.push(value ? 0xc3 : 0xc2);
  else if (typeof value === "string") packText(out, value);
  else if (value instanceof Uint8Array) out.push(0xc4, value.length, ...value);
  else if (value instanceof Float) out.push(0xcb, ...number(8, (view) => view.setFloat64(0, value.value)));
  else out.push(0xce, ...number(4, (view) => view.setUint32(0, value)));
}

function number(size, write) {
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer));
  return bytes;
}
