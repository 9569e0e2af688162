// A weight file of the codec (safetensors): read within bounds, checked for shapes, named as Python names it.

import { sha256 } from "./sha256.js";

const ARCHITECTURE = "multiscale-2", SYNTHESIS = "4x64/256";
const MAX_HEADER = 2 ** 20;
const TYPES = { I8: ["int8", 1], U8: ["uint8", 1], I16: ["int16", 2], I32: ["int32", 4], I64: ["int64", 8], F32: ["float32", 4] };

const SCALES = 7, PLANES = 4, TIERS = 2;
const LUMA_SEEN = 6, COLOUR_SEEN = 12, SEEN = 24, HIDDEN = 48, GIVEN = 59, PLANE_ROWS = 3200, BASE_ROWS = 472;

// What decides the latents beside the tensors, as Python writes it.
const GEOMETRY = `${ARCHITECTURE}((1, 1, 1)${", (3, 3, 3)".repeat(5)}, (3, 0, 0))25124`;
const QUANTISER = "1.621.0(2, 2, 2, 3)63";

/** Exact layers in the order of decoder.c: name, outputs, side, kinds, channels of its inputs, output integers for 1. */
export const LAYERS = [
  ...walk("base", 32, [32], SCALES, 2, 8),
  ...walk("planes", 48, [GIVEN, LUMA_SEEN, COLOUR_SEEN, 48], SCALES * PLANES * TIERS, 4, 4),
  layer("look.0", 48, 1, SCALES * PLANES, [GIVEN]),
  layer("look.1", 48, 3, 1, [48]),
  layer("look.2", 18, 1, SCALES * PLANES, [48], 4),
];

function layer(name, outputs, side, kinds, inputs, steps = 64) {
  return { name: `probability.${name}`, outputs, side, kinds, inputs, steps };
}

function walk(name, width, enter, kinds, parameters, steps) {
  const networks = [0, 1, 2, 3], bands = [3, 3, 3, 6];
  const luma = [LUMA_SEEN], both = [LUMA_SEEN, COLOUR_SEEN];
  return [
    layer(`${name}.enter`, width, 1, kinds, enter),
    layer(`${name}.body.first`, width, 3, 1, [width]),
    layer(`${name}.body.second`, width, 3, 1, [width]),
    layer(`${name}.leave`, width, 1, kinds, [width, ...both]),
    layer(`${name}.up`, 4 * width, 1, 1, [width]),
    ...networks.map((n) => layer(`${name}.passes.${n}.see`, SEEN, 3, 1, n < 3 ? luma : both)),
    ...networks.map((n) => layer(`${name}.passes.${n}.hidden`, HIDDEN, 1, kinds, [width, SEEN])),
    ...networks.map((n) => layer(`${name}.passes.${n}.out`, parameters * bands[n], 1, kinds, [HIDDEN], steps)),
  ];
}

const NET = "synthesis", COARSE_GROUPS = 4, BODIES = [0, 1, 2, 3], COARSE_BODIES = [2, 3];

/** Layers in floats in the order of decoder.c: name, outputs, inputs, side, whether it has biases; of one in groups, which. */
export const FLOAT_LAYERS = [
  ...step("update", 3, 1, 24, 24),
  ...step("predict", 1, 3, 24, 24),
  ...step("colour_update", 3, 1, 8, 16),
  ...step("colour_predict", 5, 3, 16, 16),
  floatLayer(`${NET}.enter`, 64, 48, 3),
  ...[0, 1, 2, 3].map((group) => ({ ...floatLayer(`${NET}.coarse.0`, 24, 16, 4), group, groups: COARSE_GROUPS })),
  ...COARSE_BODIES.flatMap((n) => pointwise(`${NET}.coarse.${n}`, 96, 192)),
  floatLayer(`${NET}.coarse.4`, 64, 96, 1),
  ...BODIES.flatMap((n) => pointwise(`${NET}.body.${n}`, 64, 256)),
  floatLayer(`${NET}.leave`, 48, 64, 1),
];

/** Depthwise layers: name, width. */
export const DEPTHWISE = [
  ...COARSE_BODIES.map((n) => [`${NET}.coarse.${n}.depthwise`, 96]),
  ...BODIES.map((n) => [`${NET}.body.${n}.depthwise`, 64]),
];

export const STATES = `${NET}.state.weight`;

function floatLayer(name, outputs, inputs, side, biased = true) {
  return { name, outputs, inputs, side, biased, group: 0, groups: 1 };
}

function pointwise(name, width, expanded) {
  return [floatLayer(`${name}.widen`, expanded, width, 1), floatLayer(`${name}.narrow`, width, expanded, 1)];
}

function step(name, inputs, outputs, filters, hidden) {
  return [
    floatLayer(`transform.${name}.filters`, outputs * filters, inputs, 5, false),
    floatLayer(`transform.${name}.opacities.0`, hidden, inputs + 1, 3),
    floatLayer(`transform.${name}.opacities.2`, hidden, hidden, 3),
    floatLayer(`transform.${name}.opacities.4`, filters, hidden, 1),
  ];
}

/** Tables in the order of decoder.c: name, type, shape. */
export const TABLES = tablesOf();

function tablesOf() {
  const base = ["base_coarse", "base_fine"], planes = [], looks = [], tiers = [];
  for (let plane = 1; plane <= PLANES; plane++) {
    planes.push(`plane${plane}.0`, `plane${plane}.1`);
    looks.push(`look${plane}`);
    tiers.push([`tiers.${plane}`, "U8", [PLANE_ROWS]]);
  }
  const shape = (name) => [name.startsWith("base") ? BASE_ROWS : PLANE_ROWS, { base_coarse: 42, base_fine: 6 }[name] ?? 3];
  const frequencies = [...base, ...planes].map((name) => [`tables.${name}`, "I16", shape(name)]);
  const points = [...base, ...planes].map((name) => [`points.${name}`, "I8", shape(name)]);
  return [...frequencies, ...points, ...looks.map((name) => [`points.${name}`, "I8", [PLANE_ROWS, 2]]), ...tiers];
}

/** The tensors of a file by name, { type, shape, bytes }. @throws {Error} that says what is wrong with it */
export function readWeights(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const size = file.byteLength < 8 ? -1 : Number(view.getBigUint64(0, true));
  if (size < 2 || size > MAX_HEADER || 8 + size > file.byteLength) throw new Error("it is cut off");
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size)));
  const { architecture, synthesis } = header.__metadata__ ?? {};
  if (architecture !== ARCHITECTURE || synthesis !== SYNTHESIS)
    throw new Error(`it is of the architecture ${architecture}, ${synthesis}, this page has ${ARCHITECTURE}, ${SYNTHESIS}`);
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = entry.data_offsets, count = entry.shape.reduce((product, side) => product * side, 1);
    const data = file.subarray(8 + size + begin, 8 + size + end);
    if (!(entry.dtype in TYPES) || data.length !== count * TYPES[entry.dtype][1]) throw new Error(`${name} is cut off`);
    tensors.set(name, { type: entry.dtype, shape: entry.shape, bytes: data });
  }
  for (const [name, type, shape] of expected()) {
    const found = tensors.get(name);
    if (!found || found.type !== type || String(found.shape) !== String(shape)) throw new Error(`${name} is missing or of another shape`);
  }
  return tensors;
}

function* expected() {
  yield* TABLES;
  for (const { name, outputs, side, kinds, inputs } of LAYERS) {
    const channels = inputs.reduce((sum, each) => sum + each, 0);
    yield [`${name}.weight`, "I8", [outputs, channels, side, side]];
    yield [`${name}.bias`, "I32", [kinds, outputs]];
    yield [`${name}.shift`, "U8", [outputs]];
  }
  for (const { name, outputs, inputs, side, biased, groups } of FLOAT_LAYERS) {
    yield [`${name}.weight`, "F32", [groups * outputs, inputs, side, side]];
    if (biased) yield [`${name}.bias`, "F32", [groups * outputs]];
  }
  for (const [name, width] of DEPTHWISE) {
    yield [`${name}.weight`, "F32", [width, 1, 5, 5]];
    yield [`${name}.bias`, "F32", [width]];
  }
  yield [STATES, "F32", [16, 320]];
  yield ["known_answer", "I64", [2 * LAYERS.length]];
}

/** The id of what decides the latents. */
export function modelId(tensors) {
  return named(tensors, ["probability.", "tables.", "tiers."], GEOMETRY + QUANTISER);
}

/** The id of what makes pictures of them. */
export function synthesisId(tensors) {
  return named(tensors, ["points.", "transform.", "synthesis."], "");
}

function named(tensors, prefixes, constants) {
  const text = new TextEncoder(), parts = [text.encode(constants)];
  const names = [...tensors.keys()].filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
  for (const name of names.sort()) {
    const { type, shape, bytes } = tensors.get(name);
    const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
    parts.push(text.encode(`${name}${tuple}${TYPES[type][0]}`), bytes);
  }
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return hex(sha256(all).subarray(0, 8));
}

export function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
