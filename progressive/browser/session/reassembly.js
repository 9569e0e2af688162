// Packets of one stream, in any order, some twice, some never -> its header and segments.

import { WireError } from "./errors.js";
import { BlockDecoder } from "./fec.js";
import { parseHeaderData } from "./header.js";
import { STRIPES } from "./packets.js";
import { HEADER_ID, parseRecords, parseStripes } from "./records.js";

/** What is kept of a stream: as in the receiver's settings, since nobody can be asked for more memory here either. */
export const LIMITS = { blocks: 4096, heldBytes: 16 << 20 };

/**
 * Collects one stream.
 *
 *     source packet ──> records ──> header, segments
 *           └─> block <── parity packet    (k of them restore the missing sources)
 *
 * Segments are handed out once each, and only when the header is known.
 */
export class Reassembler {
  #limits;
  #blocks = new Map();
  #blockBytes = 0;
  #pending = [];
  #pendingBytes = 0;
  #known = new Set();
  #wholeBlocks = 0;
  #baseBlocks = 1;

  constructor(limits = LIMITS) {
    this.#limits = limits;
    this.header = this.placement = null;
    this.restored = []; // source packets that the latest packet restored, [block, index] each
  }

  /** Blocks that are whole, counted from block 0 up to the first that is not. */
  get wholeBlocks() {
    while (this.#blocks.get(this.#wholeBlocks)?.complete) this.#wholeBlocks += 1;
    return this.#wholeBlocks;
  }

  /** Block 0, and all others up to the last one in which the stream header came, are whole. */
  get baseComplete() { return this.wholeBlocks >= this.#baseBlocks; }

  /** Distinct segments received or restored. */
  get segmentCount() { return this.#known.size; }

  /** Every segment that the header announces is there. */
  get complete() { return this.header !== null && this.segmentCount === this.header.segments; }

  /** Payload bytes kept in memory: for erasure decoding, and waiting for the header. */
  get heldBytes() { return this.#blockBytes + this.#pendingBytes; }

  /**
   * Takes a data packet; the segments { id, payload, recovered } that can be handed out now, with `header` known.
   *
   * @throws {WireError} if the packet is nonsense or contradicts what came before; it changes nothing then.
   */
  add(packet) {
    this.restored = [];
    if (packet.kind === STRIPES) return this.#addStripes(packet);
    const block = this.#block(packet);
    if (block.complete) return [];
    const records = packet.index < packet.k ? checkedRecords(packet.payload) : [];
    const restored = this.#restore(block, packet);
    this.#keep(packet.block, block, records);
    this.#take(records, false);
    for (const [index, source] of restored) {
      try {
        this.#take(checkedRecords(source), true);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        continue; // a peer built its parity from nonsense; the other sources may be good
      }
      this.restored.push([packet.block, index]);
    }
    return this.#handOut();
  }

  #addStripes(packet) {
    for (const { block: number, k, data } of parseStripes(packet.payload)) {
      const parity = { ...packet, block: number, index: k + packet.index, k, payload: data };
      const block = this.#block(parity);
      if (block.complete) continue;
      const sources = this.#restore(block, parity);
      this.#blocks.set(number, block);
      const records = checkedRecords(joined([...sources.values()]));
      this.#keep(number, block, records);
      this.#take(records, true);
    }
    return this.#handOut();
  }

  #block({ block: number, k }) {
    const block = this.#blocks.get(number);
    if (!block) {
      if (this.#blocks.size >= this.#limits.blocks) throw new WireError("stream of too many blocks");
      return new BlockDecoder(k);
    }
    if (block.k !== k) throw new WireError(`block ${number} had ${block.k} source packets, now ${k}`);
    return block;
  }

  /** Adds the packet to its block unless memory is short: then it is used without being kept. */
  #restore(block, { index, payload }) {
    if (this.heldBytes + payload.length > this.#limits.heldBytes) return new Map();
    const before = block.heldBytes;
    const restored = block.add(index, payload);
    this.#blockBytes += block.heldBytes - before;
    return restored;
  }

  #keep(number, block, records) {
    this.#blocks.set(number, block);
    if (records.some(({ id }) => id === HEADER_ID)) this.#baseBlocks = Math.max(this.#baseBlocks, number + 1);
  }

  #take(records, recovered) {
    for (const { id, data } of records) {
      if (id === HEADER_ID) {
        if (!this.header) ({ header: this.header, placement: this.placement } = parseHeaderData(data));
      } else if (!this.#known.has(id) && this.#hasRoom(data)) {
        this.#known.add(id);
        this.#pending.push({ id, payload: data.slice(), recovered });
        this.#pendingBytes += data.length;
      }
    }
  }

  #hasRoom(data) {
    if (this.header) return this.segmentCount < this.header.segments;
    return this.heldBytes + data.length <= this.#limits.heldBytes;
  }

  #handOut() {
    if (!this.header) return [];
    const excess = this.segmentCount - this.header.segments;
    if (excess > 0) { // segments that came before the header, more than it announces
      for (const { id } of this.#pending.splice(-excess)) this.#known.delete(id);
    }
    const arrivals = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    return arrivals;
  }
}

function checkedRecords(payload) {
  const records = parseRecords(payload);
  for (const { id, data } of records) if (id === HEADER_ID) parseHeaderData(data);
  return records;
}

function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let position = 0;
  for (const piece of pieces) {
    all.set(piece, position);
    position += piece.length;
  }
  return all;
}
