// What a sender says of a photo beside its pixels: how it is called, when and where it was taken.

import { WireError } from "./errors.js";
import { MAX_FIELDS, Reader } from "./messages.js";

const MAX_ABOUT = 253, MAX_NAME = 100, MAX_NAME_BYTES = 120, MAX_TAKEN = 32;
const HIGHEST = 100000; // metres
const PRINTABLE = /^(?:[^\p{C}\p{Z}]| )*$/u;
const TIME = /^(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)?$/;

/** { name, taken, latitude, longitude, altitude }: empty texts and nulls for what is not known. Throws WireError for
 * anything else; what later versions say besides is passed over. */
export function parseAbout(data) {
  if (data.length > MAX_ABOUT) throw new WireError(`${data.length} bytes about a photo, the limit is ${MAX_ABOUT}`);
  const fields = mapOf(data);
  const { name = "", taken = "", latitude = null, longitude = null, altitude_m: altitude = null } = fields;
  const bytes = typeof name === "string" ? new TextEncoder().encode(name).length : Infinity;
  if (bytes > MAX_NAME_BYTES || [...name].length > MAX_NAME || !PRINTABLE.test(name)) throw new WireError("no name of a photo");
  if (typeof taken !== "string" || taken.length > MAX_TAKEN || !isTime(taken)) throw new WireError("no time of a photo");
  for (const [value, limit] of [[latitude, 90], [longitude, 180], [altitude, HIGHEST]]) {
    if (value !== null && !(typeof value === "number" && Math.abs(value) <= limit)) throw new WireError("no place on earth");
  }
  return { name, taken, latitude, longitude, altitude };
}

/** In one line; empty if nothing is known. */
export function aboutInWords({ name, taken, latitude, longitude, altitude }) {
  const degrees = (value, [positive, negative]) => `${Math.abs(value).toFixed(6)} ${value < 0 ? negative : positive}`;
  const isPlace = latitude !== null && longitude !== null;
  return [
    name,
    taken && `taken ${taken.replace("T", " ")}`,
    isPlace && `at ${degrees(latitude, "NS")} ${degrees(longitude, "EW")}`,
    altitude !== null && `${altitude.toFixed(0)} m above the sea`,
  ].filter(Boolean).join(", ");
}

function isTime(taken) {
  return TIME.test(taken) && !(taken && Number.isNaN(Date.parse(taken.replace(" ", "T").replace(",", "."))));
}

function mapOf(data) {
  const reader = new WideReader(data, MAX_ABOUT), count = reader.fields();
  if (!(count <= MAX_FIELDS)) throw new WireError("what is said of a photo is not a map of a few fields");
  const fields = Object.create(null);
  for (let field = 0; field < count; field++) {
    const name = reader.value();
    if (typeof name !== "string") throw new WireError("what is said of a photo has a wrong field");
    fields[name] = reader.value();
  }
  reader.finish();
  return fields;
}

/** Reads what messages have, and numbers that are negative, broken or large, and nothing. */
class WideReader extends Reader {
  other(first) {
    if (first >= 0xe0) return first - 0x100;
    switch (first) {
      case 0xc0: return null;
      case 0xca: return this.number(4, "getFloat32");
      case 0xcb: return this.number(8, "getFloat64");
      case 0xcf: return Number(this.number(8, "getBigUint64"));
      case 0xd0: return this.number(1, "getInt8");
      case 0xd1: return this.number(2, "getInt16");
      case 0xd2: return this.number(4, "getInt32");
      case 0xd3: return Number(this.number(8, "getBigInt64"));
      default: return super.other(first);
    }
  }
}
