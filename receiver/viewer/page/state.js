// What the page knows: receivers and their photos, brought up to date by messages.

import { COMPLETE, DECODING, RECEIVING, WAITING, statusOf } from "../view/status.js";

const PHOTOS_KEPT = 24;

export class State {
  constructor() {
    this.receivers = new Map();
  }

  apply(message) {
    if (message.type === "receiver") {
      const known = this.receivers.get(message.receiver);
      this.receivers.set(message.receiver, { photos: new Map(), ...known, ...message });
    } else if (message.type === "photo") {
      this.applyPhoto(this.receivers.get(message.receiver).photos, message);
    }
  }

  applyPhoto(photos, message) {
    let photo = photos.get(message.photo);
    if (!photo) {
      photo = { receiver: message.receiver, number: message.photo, facts: {}, start: 0, marks: "", samples: [], pictures: [], looks: [] };
      photos.set(photo.number, photo);
      if (photos.size > PHOTOS_KEPT) photos.delete(photos.keys().next().value);
    }
    const { fates, samples, pictures, looks } = message;
    photo.state = message.state;
    photo.reason = message.reason;
    photo.figures = message.figures;
    photo.blocks = message.blocks;
    photo.facts = message.facts ?? photo.facts;
    photo.start = fates.start;
    photo.marks = photo.marks.slice(0, fates.from) + fates.marks;
    photo.samples = samples.all ? samples.items : photo.samples.concat(samples.items);
    photo.pictures = pictures.all ? pictures.items : photo.pictures.concat(pictures.items);
    photo.looks = looks.all ? looks.items : photo.looks.concat(looks.items);
  }

  // What all receivers are at, in words.
  statusOfAll() {
    const all = [...this.receivers.keys()].map((receiver) => this.status(receiver, this.latest(receiver)));
    for (const busy of [RECEIVING, DECODING]) if (all.includes(busy)) return busy;
    if (new Set(all).size < 2) return all[0] ?? WAITING;
    return `${all.filter((one) => one === COMPLETE).length} of ${all.length} complete`;
  }

  // What a receiver is at with a photo, in words.
  status(receiver, photo) {
    return statusOf(photo, this.receivers.get(receiver).state === "here");
  }

  // The photo that a receiver is at, or was at last.
  latest(receiver) {
    return [...(this.receivers.get(receiver)?.photos.values() ?? [])].at(-1);
  }
}
