// A receiver in a page: what the session tells becomes photos of the journal, and their pictures.

import { Canvases } from "./canvases.js";
import { CannotShow } from "./decoding.js";
import { Refinement } from "./refinement.js";

const MOST_UNFINISHED = 2; // photos whose pictures are in the making; of more the oldest is cut short
const MOST_WAITING = 32 << 20; // bytes of segments for which no decoder is there yet

export class Receiver {
  #journal;
  #decoders;
  #onChange;
  #canvases = new Canvases();
  #unfinished = new Map(); // stream -> Showing

  /** `onChange()` is called when there is something new to draw. */
  constructor(journal, decoders, onChange) {
    this.#journal = journal;
    this.#decoders = decoders;
    this.#onChange = onChange;
  }

  /** Takes an event of the session. */
  observe(event) {
    const photo = this.#journal.observe(event);
    const showing = this.#unfinished.get(event.stream);
    if (event.type === "started") this.#begin(photo, event);
    else if (event.type === "segment") showing?.push(event.id, event.payload);
    else if (event.type === "quality") this.#journal.expect(photo, event.expectation);
    else if (event.type === "about") this.#journal.describe(photo, event.about);
    else if (event.type === "ended") this.#finish(event.stream, photo);
    this.#onChange();
  }

  /** The connection is lost: the photo that was coming stays as it is. */
  breakOff() {
    const photo = this.#journal.breakOff();
    if (photo) this.#finish(photo.stream, photo);
    this.#onChange();
  }

  #finish(stream, photo) {
    const showing = this.#unfinished.get(stream);
    if (showing) showing.finish();
    else if (photo) photo.state = "done";
  }

  /** Begins to show a photo; those before it wait until it has its first picture. */
  #begin(photo, { stream, header, placement }) {
    const showing = new Showing();
    for (const older of this.#unfinished.values()) older.pause(showing.first);
    this.#unfinished.set(stream, showing);
    const uncut = [...this.#unfinished.values()].filter(({ isCut }) => !isCut);
    for (const oldest of uncut.slice(0, -MOST_UNFINISHED)) oldest.cut();
    this.#show(photo, showing, stream, header, placement)
      .catch((error) => {
        if (!(error instanceof CannotShow)) reportError(error);
        photo.facts.trouble = error instanceof CannotShow ? error.message : "This page made a mistake with the photo: load it again";
        photo.facts.unshown = "There is no picture: see above";
      })
      .finally(() => {
        this.#unfinished.delete(stream);
        showing.tellFirst();
        if (photo.state === "ended") photo.state = "done";
        this.#onChange();
      });
  }

  async #show(photo, showing, stream, header, placement) {
    photo.facts.codec = await this.#decoders.nameOf(header.codec);
    photo.facts.unshown = "The decoder is on its way";
    this.#onChange();
    const decoder = await this.#decoders.for(header);
    if (showing.isCut) return;
    const { importance } = await decoder.begin(stream, header.bytes);
    delete photo.facts.unshown;
    if (!placement) photo.facts.importance = importance;
    const refinement = new Refinement(decoder, stream, async (picture) => {
      const file = await pngOf(this.#canvases.show(stream, placement, picture));
      this.#journal.addPicture(photo, file, { ...picture.status, shown: picture.shown, network: picture.network, ms: picture.ms });
      if (picture.status.baseComplete) showing.tellFirst();
      this.#onChange();
    });
    showing.use(refinement);
    await refinement.run();
  }
}

/** A refinement that may not be there yet: until then segments wait for it. */
class Showing {
  #refinement = null;
  #waiting = [];
  #bytes = 0;
  #last = ""; // finish or cut, once asked for
  #pause = null;

  constructor() {
    this.first = new Promise((resolve) => { this.tellFirst = resolve; }); // there is a picture of the whole base, or nothing more
  }

  push(id, payload) {
    if (this.#refinement) this.#refinement.push(id, payload);
    else if (this.#bytes + payload.length <= MOST_WAITING) {
      this.#waiting.push([id, payload]);
      this.#bytes += payload.length;
    }
  }

  pause(until) {
    this.#pause = until;
    this.#refinement?.pause(until);
  }

  get isCut() { return this.#last === "cut"; }

  finish() { this.#end(this.#last || "finish"); }

  cut() { this.#end("cut"); }

  use(refinement) {
    this.#refinement = refinement;
    refinement.pause(this.#pause);
    for (const [id, payload] of this.#waiting.splice(0)) refinement.push(id, payload);
    if (this.#last) refinement[this.#last]();
  }

  #end(how) {
    this.#last = how;
    this.#refinement?.[how]();
  }
}

/** The PNG file of a picture. */
function pngOf({ width, height, rgba }) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob((file) => (file ? resolve(file) : reject(new CannotShow("This browser has no memory for the picture"))), "image/png");
  });
}
