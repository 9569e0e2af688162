// The WebAssembly instance: memory, weights laid out in it, and calls that cannot harm what is outside.

import { DEPTHWISE, FLOAT_LAYERS, LAYERS, STATES, TABLES } from "./weights.js";

const PAGE = 65536;
const STEP = 1.62, DEAD_ZONE = 1.0, MAX_INDEX = 63, SPLITS = [2, 2, 2, 3], POINTS = 256;

/** The browser has no more memory for a photo; the message says so. */
export class OutOfMemory extends Error {}

const SPARE = 256 * 2 ** 20; // bytes of memory that an instance may have to be used for another photo

/** What can be put into an instance at once: its memory as it is with the weights. */
export class Prepared {
  #spare = null;

  constructor(module, tensors) {
    this.module = module;
    const machine = new Machine(module);
    machine.layOut(tensors);
    this.image = machine.bytes.slice(0, machine.keep(0));
  }

  machine() {
    const machine = this.#spare ?? new Machine(this.module);
    this.#spare = null;
    machine.reserve(this.image.length);
    machine.bytes.set(this.image);
    return machine;
  }

  /** One that is no longer used: photo after photo takes no more memory than one. */
  takeBack(machine) {
    if (machine.bytes.length <= SPARE) this.#spare = machine;
  }
}

/** An instance. */
export class Machine {
  constructor(module) {
    this.exports = new WebAssembly.Instance(module, {}).exports;
    this.stack = this.exports.__stack_pointer.value;
  }

  get bytes() {
    return new Uint8Array(this.exports.memory.buffer);
  }

  reserve(size) {
    const missing = size - this.exports.memory.buffer.byteLength;
    if (missing > 0) this.exports.memory.grow(Math.ceil(missing / PAGE));
  }

  /** A call; undefined if it trapped, after which the instance can go on. @throws {OutOfMemory} */
  call(name, ...parameters) {
    this.trapped = false;
    try {
      return this.exports[name](...parameters);
    } catch (error) {
      this.exports.__stack_pointer.value = this.stack;
      if (this.exports.memory_exhausted()) throw new OutOfMemory("this browser has no more memory for the picture");
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.trapped = true;
      return undefined;
    }
  }

  /** A call that nothing a peer sent can make trap. @throws {OutOfMemory} */
  run(name, ...parameters) {
    const found = this.call(name, ...parameters);
    if (this.trapped) throw new Error(`the decoder stopped in ${name}`);
    return found;
  }

  /** The address of memory that stays until `letGo`, which takes what was kept later with it. */
  keep(size) {
    return this.run("keep", size);
  }

  letGo(mark) {
    this.exports.let_go(mark);
  }

  /** The address of a copy of bytes that stays likewise. */
  kept(bytes) {
    const at = this.keep(bytes.length);
    this.bytes.set(bytes, at);
    return at;
  }

  /** Takes the weights. */
  layOut(tensors) {
    LAYERS.forEach((layer, number) => this.defineLayer(number, layer, tensors));
    FLOAT_LAYERS.forEach((layer, number) => this.defineFloatLayer(number, layer, tensors));
    DEPTHWISE.forEach(([name, width], number) => {
      const [weight, bias] = ["weight", "bias"].map((part) => this.kept(tensors.get(`${name}.${part}`).bytes));
      this.run("define_depthwise", number, weight, bias, width);
    });
    this.run("define_states", this.kept(tensors.get(STATES).bytes));
    const addresses = TABLES.map(([name]) => this.kept(tensors.get(name).bytes));
    for (let plane = 0; plane <= SPLITS.length; plane++) addresses.push(...this.bins(plane));
    const bins = addresses.splice(TABLES.length);
    addresses.push(...bins.filter((_, i) => i % 2 === 0), ...bins.filter((_, i) => i % 2));
    new Uint32Array(this.exports.memory.buffer, this.run("tables_at"), addresses.length).set(addresses);
  }

  defineLayer(number, { name, outputs, side, kinds, inputs, steps }, tensors) {
    const [weight, bias, shift] = ["weight", "bias", "shift"].map((part) => this.kept(tensors.get(`${name}.${part}`).bytes));
    const parts = this.kept(new Uint8Array(Int32Array.from(inputs).buffer));
    const activation = steps === 64;
    this.run("define_layer", number, weight, bias, shift, outputs, side, kinds, Math.log2(64 / steps), activation, parts, inputs.length);
  }

  defineFloatLayer(number, { name, outputs, inputs, side, biased, group, groups }, tensors) {
    const part = ({ bytes }) => bytes.subarray((group * bytes.length) / groups, ((group + 1) * bytes.length) / groups);
    const weight = this.kept(part(tensors.get(`${name}.weight`)));
    const bias = biased ? this.kept(part(tensors.get(`${name}.bias`))) : 0;
    this.run("define_float_layer", number, weight, bias, outputs, inputs, side);
  }

  /** Addresses of the middles of a plane's bins, and of their widths in points, by index from the largest negative one. */
  bins(plane) {
    const ends = endsOf(plane), reach = ends.length - 2;
    const middles = new Float32Array(2 * reach + 1), widths = new Float32Array(2 * reach + 1);
    for (let index = -reach; index <= reach; index++) {
      const size = Math.abs(index), near = ends[size], far = ends[size + 1];
      const [lower, upper] = index < 0 ? [-far, -near] : [near, far];
      middles[index + reach] = (lower + upper) / 2;
      widths[index + reach] = (upper - lower) / POINTS;
    }
    return [middles, widths].map((values) => this.kept(new Uint8Array(values.buffer)));
  }
}

// Where the bins of indices 0, 1, 2, ... of a plane begin, and where the last of them ends.
function endsOf(plane) {
  if (!plane) return [-DEAD_ZONE, ...Array.from({ length: MAX_INDEX + 1 }, (_, i) => DEAD_ZONE + STEP * i)];
  const parts = SPLITS[plane - 1], coarser = endsOf(plane - 1), zero = coarser[1] / parts, inner = [];
  for (let i = 1; i + 1 < coarser.length; i++)
    for (let part = 0; part < parts; part++) inner.push(coarser[i] + ((coarser[i + 1] - coarser[i]) * part) / parts);
  return [-zero, zero, ...inner, coarser.at(-1)];
}
