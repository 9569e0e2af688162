// What packets hold: records of (id, length, bytes), and stripes of classes.

import { WireError } from "./errors.js";
import { MAX_SOURCES, viewOf } from "./packets.js";

export const HEADER_ID = 0;
const RECORD_PREFIX = 4, STRIPE_PREFIX = 5;

/** The records { id, data } of a source's payload. Throws WireError if one is cut short or padding is not zero. */
export function parseRecords(payload) {
  const view = viewOf(payload), records = [];
  let position = 0;
  while (payload.length - position >= RECORD_PREFIX) {
    const id = view.getUint16(position), length = view.getUint16(position + 2);
    if (id === HEADER_ID && !length) break;
    position += RECORD_PREFIX;
    if (length > payload.length - position) throw new WireError(`record ${id} is cut short`);
    records.push({ id, data: payload.subarray(position, position + length) });
    position += length;
  }
  if (payload.subarray(position).some(Boolean)) throw new WireError("padding is not zero");
  return records;
}

/** The stripes { block, k, data } of a striped packet's payload. Throws WireError for anything else. */
export function parseStripes(payload) {
  const view = viewOf(payload), stripes = [];
  for (let position = 0; position < payload.length; ) {
    if (payload.length - position < STRIPE_PREFIX) throw new WireError("stripe is cut short");
    const block = view.getUint16(position), k = view.getUint8(position + 2), length = view.getUint16(position + 3);
    position += STRIPE_PREFIX;
    if (k < 1 || k > MAX_SOURCES || length < 1 || length > payload.length - position) {
      throw new WireError(`impossible stripe: k ${k}, ${length} bytes`);
    }
    stripes.push({ block, k, data: payload.subarray(position, position + length) });
    position += length;
  }
  if (new Set(stripes.map(({ block }) => block)).size !== stripes.length) throw new WireError("two stripes are of one class");
  return stripes;
}
