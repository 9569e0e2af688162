// Fragments of segments, until all of one are there. Each that is kept takes constant time, whatever a peer sends.

import { BASE, Damaged } from "./segments.js";

/** Those of the base belong together by what they say they hold; of the others each refers to the one before. */
export class Fragments {
  count = 0;
  #base = new Map();
  #begun = new Map(); // id of the last one that follows from the first -> all up to it
  #following = new Map(); // id that a fragment refers to -> the fragment

  /**
   * The whole { ...contents, ids } that a segment is or completes, or null: then the fragment is kept. Those of a whole
   * stay until they are forgotten, as it may prove damaged by its last.
   *
   * @throws {Damaged} with nothing changed, if it contradicts another.
   */
  joined(id, contents) {
    const piece = { ...contents, id };
    if (piece.fragments === 1) return { ...piece, ids: [id] };
    const found = piece.form === BASE ? this.#ofBase(piece) : this.#ofChain(piece);
    if (!found) {
      this.count++;
      return null;
    }
    return { ...found[0], body: concatenated(found.map((each) => each.body)), ids: found.map((each) => each.id) };
  }

  /** Lets go of the fragments of a whole, as far as they are still kept. */
  forget(whole) {
    if (whole.form === BASE) {
      this.count -= this.#base.get(key(whole))?.size ?? 0;
      this.#base.delete(key(whole));
    }
    for (let i = 0; i + 1 < whole.ids.length; i++) {
      const before = whole.ids[i];
      this.count -= this.#begun.get(before)?.length ?? 0;
      this.#begun.delete(before);
      if (this.#following.get(before)?.id === whole.ids[i + 1]) {
        this.#following.delete(before);
        this.count--;
      }
    }
  }

  #ofBase(piece) {
    if (!this.#base.has(key(piece))) this.#base.set(key(piece), new Map());
    const others = this.#base.get(key(piece));
    const [first = piece] = others.values();
    if (others.has(piece.fragment) || first.fragments !== piece.fragments) throw new Damaged("a fragment contradicts another");
    if (others.size + 1 < piece.fragments) {
      others.set(piece.fragment, piece);
      return null;
    }
    return Array.from({ length: piece.fragments }, (_, i) => others.get(i) ?? piece);
  }

  #ofChain(piece) {
    const before = piece.fragment ? this.#begun.get(piece.reference) : [];
    if (!before) {
      if (this.#following.has(piece.reference)) throw new Damaged("a fragment contradicts another");
      this.#following.set(piece.reference, piece);
      return null;
    }
    if (before.length && !continues(before.at(-1), piece)) throw new Damaged("a fragment contradicts another");
    const more = [piece];
    for (let after; (after = this.#following.get(more.at(-1).id)) && continues(more.at(-1), after); ) more.push(after);
    const last = more.at(-1);
    if (last.fragment + 1 === last.fragments) return [...before, ...more];
    for (const each of more.slice(0, -1)) this.#following.delete(each.id);
    if (before.length) this.#begun.delete(piece.reference);
    before.push(...more);
    this.#begun.set(last.id, before);
    return null;
  }
}

function key(contents) {
  return contents.tile * 32 + contents.run;
}

function continues(last, piece) {
  return piece.fragment === last.fragment + 1 && piece.fragments === last.fragments && piece.form === last.form;
}

/** Bytes, one after the other. */
export function concatenated(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}
