// What is told once of a stream, and again now and then: items of (tag, length, bytes), unknown ones passed over.

import { parseAbout } from "./about.js";
import { WireError } from "./errors.js";
import { viewOf } from "./packets.js";

const QUALITY = 1, ABOUT = 4, ITEM_PREFIX = 2;
const MAX_POINTS = 32, STEP_DB = 0.25, PEAK = 255 ** 2;
const CURVE_PREFIX = 5;

/** { quality, about }: an `Expectation`, and what `parseAbout` gives; null for what the manifest says nothing of. Throws
 * WireError for anything else. */
export function parseManifest(payload) {
  const items = new Map();
  for (let position = 0; position < payload.length; ) {
    const tag = payload[position], end = position + ITEM_PREFIX + (payload[position + 1] ?? payload.length);
    if (end > payload.length || items.has(tag)) throw new WireError("an item of the manifest is cut short, or comes twice");
    items.set(tag, payload.slice(position + ITEM_PREFIX, end));
    position = end;
  }
  return {
    quality: items.has(QUALITY) ? new Expectation(items.get(QUALITY)) : null,
    about: items.has(ABOUT) ? parseAbout(items.get(ABOUT)) : null,
  };
}

/** How good pictures of some segments are, as the sender has measured: PSNR at some ids, and so what each id adds. */
export class Expectation {
  #base;
  #last;
  #basePoints;
  #levels;
  #errors = null;

  constructor(data) {
    const points = data.length - CURVE_PREFIX - 1;
    if (points < 1 || points > MAX_POINTS) throw new WireError(`curve of ${data.length} bytes`);
    const view = viewOf(data);
    [this.#base, this.#last, this.#basePoints] = [view.getUint16(0), view.getUint16(2), view.getUint8(4)];
    const inside = this.#basePoints >= 1 && this.#basePoints <= points && this.#base >= 1 && this.#base <= this.#last;
    if (!inside || this.#base < this.#last !== this.#basePoints < points) throw new WireError("impossible curve");
    this.#levels = data.subarray(CURVE_PREFIX);
  }

  /** PSNR, in dB, of the picture that shows these segments. */
  psnr(shown) {
    this.#errors ??= this.#errorsOfAll();
    const errors = this.#errors;
    let error = errors[0];
    for (const id of shown) if (id >= 1 && id <= this.#last) error -= errors[id - 1] - errors[id];
    const least = errors.reduce((one, other) => Math.min(one, other));
    return 10 * Math.log10(PEAK / Math.max(error, least));
  }

  /** Mean squared error of the picture that shows all segments up to each id. */
  #errorsOfAll() {
    const errors = new Float64Array(this.#last + 1), places = this.#places();
    for (let id = 0, point = 0; id <= this.#last; id++) {
      while (point + 1 < places.length && places[point + 1] <= id) point += 1;
      const [from, to] = [places[point], places[point + 1] ?? places[point]];
      const share = to > from ? (id - from) / (to - from) : 0;
      const level = this.#levels[point] + share * ((this.#levels[point + 1] ?? this.#levels[point]) - this.#levels[point]);
      errors[id] = PEAK / 10 ** ((level * STEP_DB) / 10);
    }
    return errors;
  }

  /** The ids up to which segments are shown at each point. */
  #places() {
    const base = this.#base, inside = this.#basePoints, beyond = this.#levels.length - 1 - inside;
    const places = [0];
    for (let j = 1; j <= inside; j++) places.push(Math.ceil((base * j) / inside));
    for (let j = 1; j <= beyond; j++) places.push(base + Math.ceil(((this.#last - base) * j * j) / (beyond * beyond)));
    return places;
  }
}
