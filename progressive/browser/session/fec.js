// Systematic Reed-Solomon blocks across packets, as zfec makes them for k of 256: any k packets restore the sources.

import { WireError } from "./errors.js";
import { MAX_SOURCES } from "./packets.js";

const POLYNOMIAL = 0x11d; // x^8 + x^4 + x^3 + x^2 + 1; 2 generates all but zero
const EXP = new Uint8Array(510), LOG = new Uint8Array(256);

for (let power = 0, value = 1; power < 255; power++) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  value = value & 0x80 ? (value << 1) ^ POLYNOMIAL : value << 1;
}

const multiply = (a, b) => (a && b ? EXP[LOG[a] + LOG[b]] : 0);
const divide = (a, b) => (a ? EXP[LOG[a] + 255 - LOG[b]] : 0);

/** Byte j of packet `index` is the value there of the polynomial of degree below k that the sources' bytes j lie on. */
const pointOf = (index) => (index ? EXP[index - 1] : 0);

/**
 * The payload of packet `wanted` of a block, by Lagrange's interpolation between k others.
 *
 * @param {Map<number, Uint8Array>} packets payloads by index, k of them.
 * @param {number} length bytes of the result; shorter payloads count as padded with zeros.
 */
export function interpolate(packets, wanted, length) {
  const result = new Uint8Array(length), x = pointOf(wanted);
  for (const [index, payload] of packets) {
    let above = 1, below = 1;
    for (const other of packets.keys()) {
      if (other === index) continue;
      above = multiply(above, x ^ pointOf(other));
      below = multiply(below, pointOf(index) ^ pointOf(other));
    }
    const factor = divide(above, below);
    if (!factor) continue;
    const power = LOG[factor];
    for (let j = 0; j < payload.length; j++) if (payload[j]) result[j] ^= EXP[power + LOG[payload[j]]];
  }
  return result;
}

/** Collects the packets of one block until its sources are known; holds at most k of them. */
export class BlockDecoder {
  #payloads = new Map();
  #parityLength = null;
  #longestSource = 0;

  constructor(k) {
    if (!(k >= 1 && k <= MAX_SOURCES)) throw new WireError(`block of ${k} sources`);
    this.k = k;
    this.complete = false;
    this.heldBytes = 0;
  }

  /**
   * Takes one packet. Returns a Map of the sources that became known by erasure decoding, by index, padded with zeros.
   *
   * @throws {WireError} if the packet contradicts the ones before; it is not taken.
   */
  add(index, payload) {
    if (this.complete || this.#payloads.has(index)) return new Map();
    this.#checkLength(index, payload.length);
    this.#payloads.set(index, payload.slice());
    this.heldBytes += payload.length;
    if (this.#payloads.size < this.k) return new Map();
    const restored = new Map();
    for (let source = 0; source < this.k; source++) {
      if (!this.#payloads.has(source)) restored.set(source, interpolate(this.#payloads, source, this.#parityLength));
    }
    this.complete = true;
    this.heldBytes = 0;
    this.#payloads.clear();
    return restored;
  }

  #checkLength(index, length) {
    if (index < this.k) {
      if (this.#parityLength !== null && length > this.#parityLength) throw new WireError("source is longer than its block's parity");
      this.#longestSource = Math.max(this.#longestSource, length);
    } else {
      if (length < this.#longestSource || (this.#parityLength ?? length) !== length) {
        throw new WireError("parity contradicts the other packets of its block");
      }
      this.#parityLength = length;
    }
  }
}
