// Proof that this browser computes the networks' integers: the bare sums of each layer, which the weight file holds
// (the second half of `progressive.exact.known_answer`).

import { LAYERS } from "./weights.js";

const ITEMS = 32, SIDE = 3, MAX_ACTIVATION = 255;

const WALK = ["enter", "body.first", "body.second", ...passes(), "leave", "up"];
const ORDER = [
  ...WALK.map((name) => `base.${name}`),
  ...["look.0", "look.1", "look.2"],
  ...WALK.map((name) => `planes.${name}`),
].map((name) => `probability.${name}`);

function passes() {
  return [0, 1, 2, 3].flatMap((n) => ["see", "hidden", "out"].map((name) => `passes.${n}.${name}`));
}

/** @throws {Error} unless all sums are right */
export function checkKnownAnswer(machine, tensors) {
  const expected = new BigInt64Array(tensors.get("known_answer").bytes.slice().buffer).subarray(ORDER.length);
  LAYERS.forEach((layer, number) => {
    const sums = sumsOf(machine, layer, number);
    const folded = sums.reduce((sum, value, i) => sum + value * (((i + 1) % 251) + 1), 0);
    if (BigInt(folded) !== expected[ORDER.indexOf(layer.name)]) throw new Error(`the sums of ${layer.name} come out wrong here`);
  });
}

// The sums of a layer over made-up inputs, [ITEMS][SIDE][SIDE][outputs].
function sumsOf(machine, { outputs, side, inputs }, number) {
  const border = (side - 1) / 2, row = SIDE + 2 * border, channels = inputs.reduce((sum, each) => sum + each, 0);
  const places = inputs.map((each) => ({ step: each + (each % 2), at: 0 }));
  const mark = machine.keep(0);
  places.forEach((place, part) => {
    const values = new Int16Array(ITEMS * row * row * place.step);
    const before = inputs.slice(0, part).reduce((sum, each) => sum + each, 0);
    for (let i = 0; i < ITEMS * SIDE * SIDE; i++) {
      const item = Math.floor(i / SIDE ** 2), y = Math.floor(i / SIDE) % SIDE, x = i % SIDE;
      const to = ((item * row + y + border) * row + x + border) * place.step;
      for (let c = 0; c < inputs[part]; c++) values[to + c] = (((i * channels + before + c + 1) * 7919) % MAX_ACTIVATION) + 1;
    }
    place.at = machine.kept(new Uint8Array(values.buffer));
  });
  const out = machine.keep(4 * SIDE * outputs), found = [];
  for (let item = 0; item < ITEMS; item++) {
    for (let y = 0; y < SIDE; y++) {
      const parts = [];
      for (let ty = 0; ty < side; ty++)
        for (const { at, step } of places) parts.push(at + 2 * (item * row + y + ty) * row * step, step, (step * side) / 2);
      const list = machine.kept(new Uint8Array(Int32Array.from(parts).buffer));
      machine.call("layer_sums", number, list, SIDE, out);
      found.push(...new Int32Array(machine.exports.memory.buffer, out, SIDE * outputs));
      machine.letGo(list);
    }
  }
  machine.letGo(mark);
  return found;
}
