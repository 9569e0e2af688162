// The decoder of rmpgc in a browser: segments in any order, at any time the picture of what has come. It does what
// `progressive.codecs.rmpgc.decoder` does, on latents that are the same to the bit.

import { Fragments, concatenated } from "./fragments.js";
import { CODEC, Refused, headerOf, windowOf } from "./header.js";
import { checkKnownAnswer } from "./known_answer.js";
import { OutOfMemory, Prepared } from "./machine.js";
import { pictureOf } from "./picture.js";
import { BASE, Damaged, RUNS, contentsOf, named } from "./segments.js";
import { modelId, readWeights, synthesisId } from "./weights.js";

export { CODEC, OutOfMemory, Refused };

const MAX_PIXELS = 16e6, MAX_ID = 0xffff, MAX_PAYLOAD = 0xffff;
const LEVELS = 8, TIERS = 2, STAGES = 7;

/** The codec with its weights, `progressive/weights/rmpgc.safetensors`. Rejects with Refused. */
export async function openModel(wasm, weights) {
  try {
    const tensors = readWeights(weights instanceof Uint8Array ? weights : new Uint8Array(weights));
    const prepared = new Prepared(await WebAssembly.compile(wasm), tensors);
    const machine = prepared.machine();
    checkKnownAnswer(machine, tensors);
    prepared.takeBack(machine);
    return new Model(prepared, modelId(tensors), synthesisId(tensors));
  } catch (error) {
    throw new Refused(`the decoder of ${CODEC.name} cannot be used here (${error.message}): load the page again`);
  }
}

/** What decodes streams of one model. `id` names what decides latents, `synthesisId` how pictures are made of them. */
class Model {
  #prepared;

  constructor(prepared, id, synthesisId) {
    this.#prepared = prepared;
    this.id = id;
    this.synthesisId = synthesisId;
  }

  /** A fresh decoder of the stream with such a header (its bytes); throws Refused if it is of another model, damaged or too large. */
  decoder(headerBytes, { maxPixels = MAX_PIXELS } = {}) {
    const header = headerOf(headerBytes, this.id, maxPixels);
    return new Decoder(this.#prepared, header);
  }
}

/** Holds what is known of one photo; `header` says where things are in it. */
class Decoder {
  #prepared;
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

  constructor(prepared, header) {
    this.#prepared = prepared;
    this.#machine = prepared.machine();
    this.header = header;
  }

  /** How far it has come, as Python's `DecoderStatus`, and how many segments were damaged. */
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

  /** Ids of the segments that the picture shows. */
  get shown() {
    return this.#listed.keys();
  }

  /** Bytes of memory that it has taken. */
  get memory() {
    return this.#machine.bytes.length;
  }

  /**
   * Takes a segment: { changed, what, why }. `what`: "decoded", "waiting" for others, "known" or "damaged"; then `why`.
   *
   * What a peer sent never throws. @throws {OutOfMemory}
   */
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

  /** The picture of what has come, { width, height, rgba }, without the network: soon there. @throws {OutOfMemory} */
  linearPicture() {
    return pictureOf(this.#machine, this.header, this.#tiles, this.levels().states, false);
  }

  /** The same through the synthesis network: closer to the photo, and slower. @throws {OutOfMemory} */
  picture() {
    return pictureOf(this.#machine, this.header, this.#tiles, this.levels().states, true);
  }

  /** What is there of each block, { rows, columns, states }: 0 nothing, then one more for each stage of the base and each level. */
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

  /** All that is known, as Python's tiles hold it: of each its levels, indices, symbols, tiers, points and contexts. */
  latent() {
    const parts = [], { bytes } = this.#machine, view = new DataView(bytes.buffer);
    for (const [, tile] of [...this.#tiles].sort(([a], [b]) => a - b)) {
      const [index, symbols, tiers, points, contexts] = [4, 5, 6, 7, 8].map((i) => view.getUint32(tile.at + 4 * i, true));
      const count = this.#machine.run("coefficients_known", tile.at), seen = this.#machine.run("contexts_known", tile.at);
      const arrays = [[index, 2 * count], [symbols, count], [tiers, count], [points, count], [contexts, seen]];
      parts.push(tile.levels, ...arrays.map(([at, size]) => bytes.slice(at, at + size)));
    }
    return concatenated(parts);
  }

  /** Lets go of the memory; the decoder is of no more use. */
  close() {
    if (this.#machine) this.#prepared.takeBack(this.#machine);
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

  // Decodes a segment and then, round by round, all that waited for it; throws Damaged if the segment is.
  #follow(whole, completedBy) {
    let ready = [whole];
    while (ready.length) {
      const released = [], claimed = new Set();
      for (const next of ready) {
        try {
          for (const one of this.#tried(next, claimed)) released.push(one);
        } catch (error) {
          if (!(error instanceof Damaged)) throw error;
          // A good copy may come: of the segment that completed it, or of all that had waited.
          for (const id of next === whole ? [completedBy] : next.ids) this.#taken.delete(id);
          if (next === whole) throw error;
          this.#damaged++;
        }
      }
      ready = released;
    }
  }

  // Decodes a segment if all it needs is here, or keeps it until then: what had waited for it. Throws Damaged, also if it
  // names a block that another segment of the round has claimed.
  #tried(whole, claimed) {
    const need = this.#need(whole);
    if (need !== null) {
      this.#fragments.forget(whole);
      if (!this.#waiting.has(need)) this.#waiting.set(need, []);
      this.#waiting.get(need).push(whole);
      this.#waitingCount += whole.ids.length;
      return [];
    }
    const listed = whole.form === BASE ? this.#decodeBase(whole) : this.#decodeLevel(whole, claimed);
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

  #decodeLevel({ form, body, reference }, claimed) {
    const of = this.#listed.get(reference), tile = this.#tiles.get(of.tile);
    if (!of.blocks.length) throw new Damaged("a segment refers to a base that is not whole");
    if (of.level >= LEVELS) throw new Damaged("a segment claims a level beyond the last");
    const { blocks, code } = named(form, body, of.blocks), level = of.level + 1;
    const places = Array.from(blocks, (block) => 64 * of.tile + block);
    if (blocks.some((block, i) => claimed.has(places[i]) || tile.levels[block] !== of.level))
      throw new Damaged("a segment repeats a level of a block");
    for (const place of places) claimed.add(place);
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
