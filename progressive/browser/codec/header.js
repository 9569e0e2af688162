// A stream's header: about twenty bytes that say how to place any segment.

import { hex } from "./weights.js";

/** There will be no picture: the message is one plain line for people. */
export class Refused extends Error {}

export const CODEC = { name: "rmpgc", number: 2 };

const FIXED = 16, COLOURS = 3, BLOCK = 64, TILE = 8, MAX_CELLS = 128;

/** { codec, modelId, width, height, segmentCount, colours, importance, rows, columns, tileColumns, tiles }. @throws {Refused} */
export function headerOf(bytes, installed, maxPixels) {
  if (bytes.length < FIXED || bytes.length !== FIXED + bytes[FIXED - 1]) throw new Refused("the stream's header is damaged");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const codec = bytes[0], modelId = hex(bytes.subarray(1, 9)), parameters = bytes.slice(FIXED);
  const [width, height, segmentCount] = [9, 11, 13].map((at) => view.getUint16(at));
  if (codec !== CODEC.number) throw new Refused(`the stream is of codec number ${codec}, this page shows only ${CODEC.name}`);
  if (modelId !== installed)
    throw new Refused(`the stream needs model ${modelId} of ${CODEC.name}, but this page has model ${installed}: use the version it was encoded with`);
  if (!width || !height || parameters.length < COLOURS) throw new Refused("the stream's header is damaged");
  if (width * height > maxPixels)
    throw new Refused(`the photo has ${width}x${height} pixels, a browser shows ${Math.floor(maxPixels / 1e6)} megapixels at most: use the receiver`);
  const rows = Math.ceil(height / BLOCK), columns = Math.ceil(width / BLOCK), tileColumns = Math.ceil(columns / TILE);
  const tiles = Math.ceil(rows / TILE) * tileColumns, colours = new Int8Array(parameters.slice(0, COLOURS).buffer);
  const importance = importanceOf(parameters.subarray(COLOURS));
  return { codec, modelId, width, height, segmentCount, colours, importance, rows, columns, tileColumns, tiles };
}

/** The blocks of a tile; tiles are numbered row by row. */
export function windowOf(header, tile) {
  const top = Math.floor(tile / header.tileColumns) * TILE, left = (tile % header.tileColumns) * TILE;
  return { top, left, rows: Math.min(TILE, header.rows - top), columns: Math.min(TILE, header.columns - left) };
}

// Where meaning is, three bits a cell; null where the header does not say.
function importanceOf(bytes) {
  if (!bytes.length) return null;
  const [rows, columns = 0] = bytes, cells = rows * columns, bits = 3 * cells;
  const bit = (i) => (bytes[2 + (i >> 3)] >> (7 - (i & 7))) & 1;
  if (!cells || cells > MAX_CELLS || bytes.length !== 2 + Math.ceil(bits / 8)) throw new Refused("the stream's header is damaged");
  for (let i = bits; i < 8 * (bytes.length - 2); i++) if (bit(i)) throw new Refused("the stream's header is damaged");
  const levels = Uint8Array.from({ length: cells }, (_, cell) => 4 * bit(3 * cell) + 2 * bit(3 * cell + 1) + bit(3 * cell + 2));
  return { rows, columns, levels };
}
