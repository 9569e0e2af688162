// What a segment's first bytes say that it holds; `segments.py` of the codec describes them.

export const ALL = 0, RUN = 1, SET = 2, BASE = 3;
const FRAGMENT = 32, LARGEST_REFERENCE = 2;

const STAGES = 7;
/** First and last stage of each kind of segment of the base. */
export const RUNS = [];
for (let first = 0; first < STAGES; first++) for (let last = first; last < STAGES; last++) RUNS.push([first, last]);

/** What a peer sent is damaged: it is counted, and nothing has changed. */
export class Damaged extends Error {}

/** { form, body, tile, run, reference, fragment, fragments } of a payload. @throws {Damaged} */
export function contentsOf(data, id, tiles) {
  if (!data.length) throw new Damaged("a segment is shorter than its prefix");
  const contents = { form: data[0] >> 6, body: data, tile: 0, run: 0, reference: 0, fragment: 0, fragments: 1 };
  const bits = data[0] & 31;
  let at = 1;
  if (contents.form === BASE) {
    const size = tiles === 1 ? 0 : tiles <= 256 ? 1 : 2;
    contents.run = bits;
    for (const end = at + size; at < end; at++) contents.tile = contents.tile * 256 + byteAt(data, at);
    if (bits >= RUNS.length || contents.tile >= tiles)
      throw new Damaged(`a segment claims tile ${contents.tile}, run ${bits}, which this stream does not have`);
  } else {
    let distance = bits & 15, more = bits & 16;
    for (let shift = 4; more; shift += 7, at++) {
      if (at > LARGEST_REFERENCE) throw new Damaged("a segment refers to none that could be before it");
      distance |= (byteAt(data, at) & 127) << shift;
      more = data[at] & 128;
    }
    contents.reference = id - 1 - distance;
    if (contents.reference < 1) throw new Damaged("a segment refers to none that could be before it");
  }
  if (data[0] & FRAGMENT) {
    contents.fragment = byteAt(data, at) * 256 + byteAt(data, at + 1);
    contents.fragments = byteAt(data, at + 2) * 256 + byteAt(data, at + 3);
    at += 4;
    if (contents.fragments < 2 || contents.fragment >= contents.fragments)
      throw new Damaged(`a segment claims to be fragment ${contents.fragment} of ${contents.fragments}`);
  }
  contents.body = data.slice(at);
  return contents;
}

/** The blocks that an enhance segment names among those of another's list, rising, and its range code. @throws {Damaged} */
export function named(form, body, among) {
  const size = form === ALL ? 0 : form === RUN ? 2 : Math.ceil(among.length / 8);
  if (body.length < size) throw new Damaged("a segment is shorter than its prefix");
  let places;
  if (form === ALL) places = among.keys();
  else if (form === RUN) places = Array.from({ length: body[1] }, (_, i) => body[0] + i);
  else places = Array.from({ length: 8 * size }, (_, i) => i).filter((i) => (body[i >> 3] << (i & 7)) & 128);
  const blocks = [...places].map((place) => {
    if (place >= among.length) throw new Damaged("a segment claims blocks that are not of the one it refers to");
    return among[place];
  });
  if (!blocks.length) throw new Damaged("a segment claims blocks that are not of the one it refers to");
  return { blocks: Uint8Array.from(blocks).sort(), code: body.subarray(size) };
}

function byteAt(data, at) {
  if (at >= data.length) throw new Damaged("a segment is shorter than its prefix");
  return data[at];
}
