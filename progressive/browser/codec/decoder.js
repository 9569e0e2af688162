// The decoder of rmpgc in a browser: segments in any order, at any time the picture of what has come. It does what
// `progressive.codecs.rmpgc.decoder` does, on latents that are the same to the bit.

import { Fragments } from "./fragments.js";
import { CODEC, Refused, headerOf, windowOf } from "./header.js";
import { checkKnownAnswer } from "./known_answer.js";
import { OutOfMemory, Prepared } from "./machine.js";
import { pictureOf } from "./picture.js";
import { BASE, Damaged, RUNS, contentsOf, named } from "./segments.js";
import { concatenated } from "./fragments.js";
import { modelId, readWeights, synthesisId } from "./weights.js";

export { CODEC, OutOfMemory, Refused };

const MAX_PIXELS = 16e6, MAX_ID = 0xffff, MAX_PAYLOAD = 0xffff;
const LEVELS = 8, TIERS = 2, STAGES = 7;
const FIRST_COEFFICIENT = [0, 3, 12, 48, 192, 768, 3072, 6144], FIRST_POSITION = [0, 1, 2, 6, 22, 86, 342, 1366];

// The codec with its weights, `progressive/weights/rmpgc.safetensors`; throws Refused.
export async function openModel(wasm, weights) {
  let prepared, tensors;
  try {
    tensors = readWeights(weights instanceof Uint8Array ? weights : new Uint8Array(weights));
    prepared = new Prepared(await WebAssembly.compile(wasm), tensors);
    checkKnownAnswer(prepared.machine(), tensors);
  } catch (error) {
    throw new Refused(`this page's decoder cannot be used (${error.message}): load the page again, or use the receiver`);
  }
  return new Model(prepared, modelId(tensors), synthesisId(tensors));
}

class Model {
  #prepared;

  constructor(prepared, id, synthesisId) {
    this.#prepared = prepared;
    this.id = id;
    this.synthesisId = synthesisId;
  }

  // A fresh decoder of a stream; throws Refused if it is of another model, damaged or too large.
  decoder(headerBytes, { maxPixels = MAX_PIXELS } = {}) {
    const header = headerOf(headerBytes, this.id, maxPixels);
    return new Decoder(this.#prepared.machine(), header);
  }
}

class Decoder {
  #machine;
  #tiles = new Map(); // number -> { at, rows, columns, stages, levels, byActivity }
  #taken = new Set();
  #listed = new Map(); // id -> { tile, level, blocks }
  #fragments = new Fragments();
  #waiting = new Map(); // what is needed -> wholes
  #waitingCount = 0;
  #decoded = 0;
  #damaged = 0;
  #layer = -1;

  constructor(machine, header) {
    this.#machine = machine;
    this.header = header;
  }

  get status() {
    const tiles = [...this.#tiles.values()], blocks = this.header.rows * this.header.columns;
    const area = (some) => some.reduce((sum, tile) => sum + tile.rows * tile.columns, 0);
    const partly = tiles.filter((tile) => tile.stages < STAGES);
    return {
      baseComplete: tiles.length === this.header.tiles && !partly.length,
      layer: this.#layer,
      decoded: this.#decoded,
      waiting: this.#fragments.count + this.#waitingCount,
      damaged: this.#damaged,
      grey: (blocks - area(tiles)) / blocks,
      coarse: area(partly) / blocks,
    };
  }

  // Takes a segment: { changed, what, why }. What a peer sent never throws.
  push(id, payload) {
    const before = this.#decoded;
    try {
      if (!this.#wants(id)) return { changed: false, what: "known", why: "" };
      if (payload.length > MAX_PAYLOAD) throw new Damaged(`a segment of ${payload.length} bytes is too long`);
      const whole = this.#fragments.joined(id, contentsOf(payload, id, this.header.tiles));
      this.#taken.add(id);
      if (whole) this.#follow(whole, id);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      this.#damaged++;
      return { changed: this.#decoded > before, what: "damaged", why: error.message };
    }
    const changed = this.#decoded > before;
    return { changed, what: changed ? "decoded" : "waiting", why: "" };
  }

  // The picture of what has come, { width, height, rgba }, without the network: soon there.
  linearPicture() {
    return pictureOf(this.#machine, this.header, this.#tiles, this.levels().states, false);
  }

  // The same through the synthesis network: closer to the photo, and slower.
  picture() {
    return pictureOf(this.#machine, this.header, this.#tiles, this.levels().states, true);
  }

  // What is there of each block: 0 nothing, then one more for each stage of the base and each level.
  levels() {
    const { rows, columns } = this.header, states = new Uint8Array(rows * columns);
    for (const [number, tile] of this.#tiles) {
      const window = windowOf(this.header, number);
      tile.levels.forEach((level, block) => {
        const row = window.top + Math.floor(block / tile.columns), column = window.left + (block % tile.columns);
        states[row * columns + column] = tile.stages + level;
      });
    }
    return { rows, columns, states };
  }

  // What is known, as Python's tiles hold it: for tests.
  dump() {
    const parts = [], view = new DataView(this.#machine.bytes.buffer), bytes = this.#machine.bytes;
    for (const [, tile] of [...this.#tiles].sort(([a], [b]) => a - b)) {
      const [index, symbols, tiers, points, contexts] = [4, 5, 6, 7, 8].map((i) => view.getUint32(tile.at + 4 * i, true));
      const blocks = tile.rows * tile.columns, first = FIRST_COEFFICIENT[tile.stages] * blocks;
      parts.push(tile.levels, bytes.slice(index, index + 2 * first));
      for (const at of [symbols, tiers, points]) parts.push(bytes.slice(at, at + first));
      parts.push(bytes.slice(contexts, contexts + 32 * blocks * FIRST_POSITION[tile.stages]));
    }
    return concatenated(parts);
  }

  close() {
    this.#machine = null;
    this.#tiles.clear();
    this.#waiting.clear();
  }

  #wants(id) {
    if (!(Number.isInteger(id) && id >= 1 && id <= MAX_ID)) throw new Damaged(`segment id ${id} is out of range`);
    if (this.#taken.has(id)) return false;
    if (this.#taken.size >= this.header.segmentCount) throw new Damaged(`the stream has only ${this.header.segmentCount} segments`);
    return true;
  }

  // Decodes a segment and all that waited for it; throws Damaged if it is.
  #follow(whole, completedBy) {
    const ready = [whole];
    let first = true;
    for (let next; (next = ready.shift()); first = false) {
      try {
        ready.push(...this.#tried(next));
      } catch (error) {
        if (!(error instanceof Damaged)) throw error;
        // A good copy may come: of the segment that completed it, or of all that had waited.
        for (const id of first ? [completedBy] : next.ids) this.#taken.delete(id);
        if (first) throw error;
        this.#damaged++;
      }
    }
  }

  // Decodes a segment if all it needs is here, or keeps it until then: what had waited for it. Throws Damaged.
  #tried(whole) {
    const need = this.#need(whole);
    if (need !== null) {
      this.#fragments.forget(whole);
      this.#waiting.set(need, [...(this.#waiting.get(need) ?? []), whole]);
      this.#waitingCount += whole.ids.length;
      return [];
    }
    const listed = whole.form === BASE ? this.#decodeBase(whole) : this.#decodeLevel(whole);
    this.#fragments.forget(whole);
    for (const id of whole.ids) this.#listed.set(id, listed);
    this.#decoded += whole.ids.length;
    this.#layer = Math.max(this.#layer, Math.ceil(listed.level / TIERS));
    const released = whole.ids.flatMap((id) => this.#release(`segment ${id}`));
    if (whole.form === BASE) released.push(...this.#release(`tile ${whole.tile} stage ${RUNS[whole.run][1] + 1}`));
    return released;
  }

  #need({ form, tile, run, reference }) {
    if (form !== BASE) return this.#listed.has(reference) ? null : `segment ${reference}`;
    const stage = RUNS[run][0];
    return (this.#tiles.get(tile)?.stages ?? 0) >= stage ? null : `tile ${tile} stage ${stage}`;
  }

  #release(need) {
    const released = this.#waiting.get(need) ?? [];
    this.#waiting.delete(need);
    for (const whole of released) this.#waitingCount -= whole.ids.length;
    return released;
  }

  #decodeBase({ tile: number, run, body }) {
    const [first, last] = RUNS[run], known = this.#tiles.get(number);
    if (known && known.stages > first) throw new Damaged("a segment repeats a scale of the base");
    const tile = known ?? this.#newTile(number);
    const good = this.#withBytes([body], (code) => this.#machine.call("decode_base", tile.at, last, code, body.length));
    if (!good) {
      if (!known) this.#machine.letGo(tile.at);
      throw new Damaged("a segment's range code is damaged");
    }
    tile.stages = last + 1;
    if (tile.stages === STAGES) tile.byActivity = this.#byActivity(tile);
    this.#tiles.set(number, tile);
    return { tile: number, level: 0, blocks: tile.byActivity };
  }

  #decodeLevel({ form, body, reference }) {
    const of = this.#listed.get(reference), tile = this.#tiles.get(of.tile);
    if (!of.blocks.length) throw new Damaged("a segment refers to a base that is not whole");
    if (of.level >= LEVELS) throw new Damaged("a segment claims a level beyond the last");
    const { blocks, code } = named(form, body, of.blocks), level = of.level + 1;
    if (blocks.some((block) => tile.levels[block] !== of.level)) throw new Damaged("a segment repeats a level of a block");
    const good = this.#withBytes([blocks, code], (blocksAt, codeAt) =>
      this.#machine.call("decode_level", tile.at, level, blocksAt, blocks.length, codeAt, code.length),
    );
    if (!good) throw new Damaged("a segment's range code is damaged");
    for (const block of blocks) tile.levels[block] = level;
    return { tile: of.tile, level, blocks };
  }

  #newTile(number) {
    const { rows, columns } = windowOf(this.header, number);
    const at = this.#machine.call("new_tile", rows, columns);
    return { at, rows, columns, stages: 0, levels: new Uint8Array(rows * columns), byActivity: [] };
  }

  // The tile's blocks, those first of which the base has most.
  #byActivity(tile) {
    const sizes = Array.from(tile.levels, (_, block) => this.#machine.call("activity", tile.at, block));
    return [...tile.levels.keys()].sort((a, b) => sizes[b] - sizes[a]);
  }

  // Calls with the addresses of some bytes, which are put into memory for so long.
  #withBytes(parts, call) {
    const addresses = parts.map((part) => this.#machine.kept(part));
    try {
      return call(...addresses);
    } finally {
      this.#machine.letGo(addresses[0]);
    }
  }
}
