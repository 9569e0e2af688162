// Control messages: msgpack maps of a few known fields, written and checked strictly.

import { WireError } from "./errors.js";
import { viewOf } from "./packets.js";

const MAX_MESSAGE = 256, MAX_TEXT = 32;
export const MAX_FIELDS = 16;

/** A number that travels as a float, whole or not. */
export class Float {
  constructor(value) {
    this.value = value;
  }
}

/** The bytes of a map of up to 16 fields: texts and bytes, booleans, whole numbers of 32 bits, `Float`s. */
export function pack(fields) {
  const entries = Object.entries(fields);
  const out = entries.length < 16 ? [0x80 | entries.length] : [0xde, 0, entries.length];
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

/** The message in a sender's control packet: { type: "end", stream, more, repeats } or { type: "ask", stream }. Throws
 * WireError for anything else. */
export function parseControl(payload) {
  const { type, stream, ...fields } = unpack(payload);
  const { more, repeats = false, ...rest } = fields;
  const isAsk = type === "ask" && !Object.keys(fields).length;
  const isEnd = type === "end" && typeof more === "boolean" && typeof repeats === "boolean" && !Object.keys(rest).length;
  if (!Number.isInteger(stream) || !(isAsk || isEnd)) throw new WireError("control message is no sender's");
  return isEnd ? { type, stream, more, repeats } : { type, stream };
}

/** The fields of a message: texts, booleans and whole numbers; what is of another type is an error. */
function unpack(payload) {
  if (payload.length > MAX_MESSAGE) throw new WireError(`control message of ${payload.length} bytes`);
  const reader = new Reader(payload), count = reader.fields();
  if (!(count <= MAX_FIELDS)) throw new WireError("control message is not a map of a few fields");
  const fields = Object.create(null);
  for (let field = 0; field < count; field++) {
    const name = reader.value();
    if (typeof name !== "string" || name in fields) throw new WireError("control message has a wrong field");
    fields[name] = reader.value();
  }
  reader.finish();
  return fields;
}

/** Values of msgpack, one after the other; throws WireError for what is cut short, or of another type. */
export class Reader {
  #bytes;
  #view;
  #maxText;
  #position = 0;

  constructor(bytes, maxText = MAX_TEXT) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#maxText = maxText;
  }

  /** A number of so many bytes, by the method of a DataView. */
  number(size, method) {
    return this.#view[method](this.#advance(size));
  }

  uint8() {
    return this.number(1, "getUint8");
  }

  uint16() {
    return this.number(2, "getUint16");
  }

  /** How many fields the map that begins here has; NaN if none does. */
  fields() {
    const first = this.uint8();
    return first >> 4 === 0x8 ? first & 15 : first === 0xde ? this.uint16() : NaN;
  }

  value() {
    const first = this.uint8();
    if (first < 0x80) return first;
    if (first >> 5 === 0b101) return this.#text(first & 31);
    switch (first) {
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xcc: return this.uint8();
      case 0xcd: return this.uint16();
      case 0xce: return this.number(4, "getUint32");
      case 0xd9: return this.#text(this.uint8());
      default: return this.other(first);
    }
  }

  /** A value whose first byte is none of those above. */
  other() {
    throw new WireError("message holds what none of ours does");
  }

  finish() {
    if (this.#position !== this.#bytes.length) throw new WireError("message is followed by something");
  }

  #text(length) {
    if (length > this.#maxText) throw new WireError(`text of ${length} bytes in a message`);
    const start = this.#advance(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.#bytes.subarray(start, start + length));
    } catch {
      throw new WireError("text in a message is no UTF-8");
    }
  }

  #advance(size) {
    const start = this.#position;
    if (start + size > this.#bytes.length) throw new WireError("message is cut short");
    this.#position += size;
    return start;
  }
}
