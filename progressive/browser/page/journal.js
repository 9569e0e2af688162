// What this receiver goes through, photo after photo, in the form that the view draws; within bounds of memory.

import { aboutInWords } from "../session/about.js";
import { append, thin } from "./history.js";
import { PacketMap } from "./packet_map.js";

const MOST_PHOTOS = 24;
const MOST_PICTURES = 120, MOST_PICTURE_BYTES = 96 << 20;
const MOST_SAMPLES = 600, SAMPLE_INTERVAL = 0.1; // a point for every pixel or two of a curve

/** The photos, by number, and the files of their pictures: what `Pictures` of the view reads from. */
export class Journal {
  #count = 0;
  #current = null;
  #files = new Map(); // "photo/picture" -> Blob
  #bytes = 0;

  constructor() {
    this.photos = new Map();
  }

  get latest() { return [...this.photos.values()].at(-1); }

  /** Takes an event of the session; the photo that it is about, or null. */
  observe(event) {
    const current = this.#current;
    switch (event.type) {
      case "packet": {
        if (event.kind === "control" && current?.stream !== event.stream) return null; // nothing more follows: no photo
        const photo = this.#photoOf(event.stream);
        count(photo, event);
        return photo;
      }
      case "recovered":
        current.map.restore(event);
        current.figures.recovered += 1;
        return current;
      case "started": {
        const { width, height } = event.placement ?? event.header;
        Object.assign(current.facts, { width, height, segments: event.header.segments });
        return current;
      }
      case "ended":
        if (current?.stream !== event.stream) return null;
        Object.assign(current, { state: "ended", reason: event.reason });
        this.#current = null;
        return current;
      default:
        return current;
    }
  }

  /** The connection is lost: what comes later is another photo, even if of the same stream. */
  breakOff() {
    const photo = this.#current;
    if (photo) Object.assign(photo, { state: "ended", reason: "left" });
    this.#current = null;
    return photo;
  }

  /** Takes a picture of a photo: its file, and how far the decoder was. */
  addPicture(photo, file, { layer, decoded: segments, shown, grey, coarse }) {
    if (!this.photos.has(photo.number)) return;
    const number = (photo.pictures.at(-1)?.number ?? -1) + 1;
    const said = { number, layer, segments, gaps: gapsInWords(grey, coarse), bytes: photo.figures.bytes, time_s: photo.clock() };
    const expected_psnr = shown && photo.expectation ? photo.expectation.psnr(shown) : null;
    photo.shown = shown;
    this.#files.set(`${photo.number}/${number}`, file);
    this.#bytes += file.size;
    const gone = append(photo.pictures, { ...said, psnr: null, expected_psnr, ms_ssim: null, exact: false }, MOST_PICTURES);
    this.#forget(photo, gone);
    this.#makeRoom();
  }

  /** The sender has said what a photo is called, when and where it was taken. */
  describe(photo, about) {
    const words = aboutInWords(about);
    if (words) photo.facts.name = `photo ${photo.number}: ${words}`;
  }

  /** Pictures come with what the sender expects of them from now on, the latest one, too. */
  expect(photo, expectation) {
    photo.expectation = expectation;
    const latest = photo.pictures.at(-1);
    if (latest && photo.shown) latest.expected_psnr = expectation.psnr(photo.shown);
  }

  /** The file of a picture; rejects if it is no longer kept. */
  async picture(_receiver, photo, number) {
    const file = this.#files.get(`${photo}/${number}`);
    if (!file) throw new Error("there is no such picture");
    return file;
  }

  #photoOf(stream) {
    if (this.#current?.stream !== stream) {
      this.#current = newPhoto(++this.#count, stream);
      this.photos.set(this.#count, this.#current);
      if (this.photos.size > MOST_PHOTOS) this.#drop(this.photos.values().next().value);
    }
    return this.#current;
  }

  /** Thins the histories of the oldest photos, then drops them, until what is kept has room. */
  #makeRoom() {
    while (this.#bytes > MOST_PICTURE_BYTES) {
      const photo = [...this.photos.values()].find(({ pictures }) => pictures.length > 2);
      if (photo) this.#forget(photo, thin(photo.pictures));
      else if (this.photos.size > 1) this.#drop(this.photos.values().next().value);
      else return;
    }
  }

  #drop(photo) {
    this.photos.delete(photo.number);
    this.#forget(photo, photo.pictures);
  }

  #forget(photo, pictures) {
    for (const { number } of pictures) {
      const key = `${photo.number}/${number}`;
      this.#bytes -= this.#files.get(key)?.size ?? 0;
      this.#files.delete(key);
    }
  }
}

function newPhoto(number, stream) {
  const map = new PacketMap();
  return {
    receiver: 0,
    number,
    stream,
    state: "receiving",
    reason: "",
    facts: { looks: ["faithful"] },
    figures: { received: 0, lost: 0, recovered: 0, late: 0, bytes: 0, time_s: 0 },
    samples: [],
    pictures: [],
    looks: [],
    map,
    get marks() { return map.marks; },
    get blocks() { return map.blocks(); },
    expectation: null, // how good the sender says that pictures are
    shown: null, // of the latest picture: the segments that it shows
    first: null,
    sampled: 0,
    clock() { return performance.now() / 1000 - this.first; },
  };
}

function count(photo, event) {
  photo.map.add(event);
  photo.first ??= event.now;
  const { figures } = photo, time = event.now - photo.first;
  Object.assign(figures, {
    received: event.received,
    lost: event.expected - event.received,
    late: photo.map.late,
    bytes: figures.bytes + event.size,
    time_s: time,
  });
  if (time >= photo.sampled || !photo.samples.length) {
    photo.sampled = time + SAMPLE_INTERVAL;
    append(photo.samples, [time, figures.bytes, event.received, event.expected], MOST_SAMPLES);
  }
}

/** `25 % of the picture grey, 10 % coarse`; empty if nothing is missing. */
function gapsInWords(grey, coarse) {
  const shares = [["grey", grey], ["coarse", coarse]].filter(([, share]) => share > 0);
  return shares.map(([how, share], place) => `${Math.max(1, Math.round(100 * share))} %${place ? "" : " of the picture"} ${how}`).join(", ");
}
