// Loss and burst length measured from the gaps in sequence numbers and in time; reordering corrects itself.

import { WireError } from "./errors.js";

/** How many sequence numbers back an overtaken packet is still recognised. */
const WINDOW = 1024;

/** Who first hears a number as high as this began to listen late rather than lost all before. */
export const LATE_START = 25;

/** Largest believable gap. */
const MAX_JUMP = 1 << 16;

/** Highest number that is taken: with one more, the count of all would not fit a report. */
export const LAST_SEQUENCE = 0xfffffffe;

/** Counts the datagrams of one stream that arrived and that must have been sent, and the runs of missing ones. */
export class SequenceTracker {
  #runs = 0;
  #gaps = 0; // seconds between the arrivals around lost datagrams, without the share of the later one
  #lostInGaps = 0;
  #heard = 0;
  #highest = -1;
  #seen = new Ring(WINDOW + 1); // whether number #highest - i arrived; one beyond the window, for a run that goes on behind it

  constructor() {
    this.received = 0;
    this.expected = 0;
  }

  get lost() { return this.expected - this.received; }

  /** Share of the expected datagrams that did not arrive. */
  get loss() { return this.expected ? this.lost / this.expected : 0; }

  /** Mean number of datagrams lost in a row; 0 if none was lost. */
  get burst() { return this.#runs ? this.lost / this.#runs : 0; }

  /** Mean seconds that a run of lost datagrams takes: of the time around m lost ones, m of m + 1 parts count. */
  get burstSeconds() { return this.#lostInGaps ? (this.burst * this.#gaps) / this.#lostInGaps : 0; }

  /** Highest sequence number that arrived; 0 before the first. */
  get latest() { return Math.max(0, this.#highest); }

  /** When that arrived, in seconds. */
  get latestAt() { return this.#heard; }

  /** Which datagrams arrived, a bit each from the latest back, in at most `size` bytes and no more than needed. */
  recent(size) {
    const bytes = new Uint8Array(Math.min(size, Math.ceil(this.expected / 8)));
    for (let back = 0; back < Math.min(8 * bytes.length, this.expected); back++) {
      if (this.#seen.has(back)) bytes[back >> 3] |= 0x80 >> (back & 7);
    }
    return bytes;
  }

  /**
   * Takes the sequence number of a datagram that arrived at `now`, in seconds; false if it came before.
   *
   * Numbers too old to tell are taken without being counted. Who starts listening late is not told of losses before.
   *
   * @throws {WireError} for a jump beyond MAX_JUMP and a number beyond LAST_SEQUENCE; nothing changes then.
   */
  add(sequence, now) {
    if (sequence > LAST_SEQUENCE) throw new WireError(`sequence number ${sequence}`);
    if (this.#highest < 0 && sequence >= LATE_START) {
      this.#highest = sequence - 1;
      this.#seen.shift(1, true);
    }
    const ahead = sequence - this.#highest;
    if (ahead > MAX_JUMP) throw new WireError(`sequence number jumps by ${ahead}`);
    if (ahead <= 0) return this.#fill(-ahead);
    if (ahead > 1 && this.#highest >= 0) {
      this.#gaps += ((now - this.#heard) * (ahead - 1)) / ahead;
      this.#lostInGaps += ahead - 1;
    }
    this.#runs += ahead > 1;
    this.#heard = now;
    this.#seen.shift(ahead, true);
    this.#highest = sequence;
    this.expected += ahead;
    this.received += 1;
    return true;
  }

  #fill(back) {
    if (back >= Math.min(WINDOW, this.expected)) return true;
    if (this.#seen.has(back)) return false;
    const missingAfter = !this.#seen.has(back - 1);
    const missingBefore = back + 1 < this.expected && !this.#seen.has(back + 1);
    this.#runs += missingAfter + missingBefore - 1;
    if (this.#lostInGaps) {
      this.#gaps *= 1 - 1 / this.#lostInGaps;
      this.#lostInGaps -= 1;
    }
    this.#seen.mark(back);
    this.received += 1;
    return true;
  }
}

/** The latest `size` of a row of bits; place 0 is the newest. */
class Ring {
  #bits;
  #newest = 0;

  constructor(size) {
    this.#bits = new Uint8Array(size);
  }

  has(back) { return this.#bits[this.#place(back)] === 1; }

  mark(back) { this.#bits[this.#place(back)] = 1; }

  /** Appends `count` bits, the last of them `newest`, the others zero. */
  shift(count, newest) {
    if (count >= this.#bits.length) this.#bits.fill(0);
    for (let step = 0; step < Math.min(count, this.#bits.length); step++) {
      this.#newest = (this.#newest + 1) % this.#bits.length;
      this.#bits[this.#newest] = 0;
    }
    this.#bits[this.#newest] = newest ? 1 : 0;
  }

  #place(back) { return (this.#newest - back + this.#bits.length) % this.#bits.length; }
}
