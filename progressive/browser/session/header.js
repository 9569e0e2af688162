// The stream header, and where the picture of a stream belongs if it is a part of a frame.

import { WireError } from "./errors.js";
import { viewOf } from "./packets.js";

/** Largest photo, in pixels, as everywhere in this system: bounds what a few bytes can make a receiver allocate. */
export const MAX_PIXELS = 64_000_000;

const FIXED = 16, PLACEMENT = 12;

/**
 * What a header record holds: { header, placement }.
 *
 * header: { codec, model (16 hexadecimal digits), width, height, segments, parameters, bytes }.
 * placement: { canvas, width, height, left, top }; null if the picture is the whole frame.
 *
 * @throws {WireError} for anything else, and beyond the limits.
 */
export function parseHeaderData(data) {
  if (lengthOf(data) === data.length) return { header: parseHeader(data), placement: null };
  const header = parseHeader(data.subarray(0, Math.max(0, data.length - PLACEMENT)));
  const view = viewOf(data.subarray(data.length - PLACEMENT));
  const placement = { canvas: view.getUint32(0) };
  ["width", "height", "left", "top"].forEach((name, place) => { placement[name] = view.getUint16(4 + 2 * place); });
  const { width, height, left, top } = placement;
  if (left + header.width > width || top + header.height > height || width * height > MAX_PIXELS) {
    throw new WireError(`part of ${header.width}×${header.height} pixels is outside its canvas of ${width}×${height}`);
  }
  return { header, placement };
}

function lengthOf(data) {
  return data.length < FIXED ? NaN : FIXED + data[FIXED - 1];
}

function parseHeader(data) {
  if (lengthOf(data) !== data.length) throw new WireError("stream header is too short or too long");
  const view = viewOf(data);
  const width = view.getUint16(9), height = view.getUint16(11);
  if (!(width && height) || width * height > MAX_PIXELS) throw new WireError(`stream header claims ${width}×${height} pixels`);
  return {
    codec: view.getUint8(0),
    model: hex(data.subarray(1, 9)),
    width,
    height,
    segments: view.getUint16(13),
    parameters: data.slice(FIXED),
    bytes: data.slice(),
  };
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
