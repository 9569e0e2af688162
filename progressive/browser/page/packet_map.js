// The fates of a stream's packets, in the order of sending and by Reed-Solomon block, as the view draws them.

import { LATE_START } from "../session/losses.js";

const MARKS = { source: "s", parity: "p", stripes: "t", control: "c" };
const LOST = "x", MISSING = ".", ARRIVED = "s", RESTORED = "r";
const MOST_MARKS = 4096; // more cells than a page shows
const MOST_BLOCKS = 512;

export class PacketMap {
  #blocks = new Map(); // number -> { k, sources: marks, others: indices }
  #start = 0;

  constructor() {
    this.marks = "";
    this.late = 0;
  }

  add({ kind, sequence, blocks, index, late }) {
    this.late += late;
    this.#place(sequence, late ? MARKS[kind].toUpperCase() : MARKS[kind]);
    for (const [number, k] of blocks) {
      const block = this.#block(number, k);
      if (!block) continue;
      if (kind === "source" && index < block.k) block.sources[index] = ARRIVED;
      else block.others.add(index);
    }
  }

  restore({ block: number, index }) {
    const block = this.#blocks.get(number);
    if (block?.sources[index] === MISSING) block.sources[index] = RESTORED;
  }

  /** Each block as [number, k, a mark for each source, other packets, whole]. */
  blocks() {
    return [...this.#blocks].sort(([a], [b]) => a - b).map(([number, { k, sources, others }]) => {
      const marks = sources.join("");
      return [number, k, marks, others.size, marks.replaceAll(MISSING, "").length + others.size >= k];
    });
  }

  #place(sequence, mark) {
    if (!this.marks && sequence >= LATE_START) this.#start = sequence; // who starts listening late is not told of losses before
    let place = sequence - this.#start;
    if (place < 0) return;
    let gap = place - this.marks.length;
    if (gap >= MOST_MARKS) {
      this.#start = sequence;
      this.marks = "";
      place = gap = 0;
    }
    const marks = this.marks.slice(0, place) + LOST.repeat(Math.max(0, gap)) + mark + this.marks.slice(place + 1);
    this.#start += Math.max(0, marks.length - MOST_MARKS);
    this.marks = marks.slice(-MOST_MARKS);
  }

  #block(number, k) {
    if (!this.#blocks.has(number)) {
      if (this.#blocks.size >= MOST_BLOCKS) return null;
      this.#blocks.set(number, { k, sources: Array(k).fill(MISSING), others: new Set() });
    }
    return this.#blocks.get(number);
  }
}
