// Pictures as the page has them: fetched once, the latest used ones kept.

const KEPT = 96;

export class Pictures {
  // source: its `picture(receiver, photo, number, { look, whole })` gives a Blob of a picture.
  constructor(source) {
    this.source = source;
    this.urls = new Map();
    this.running = 0;
  }

  clear() {
    for (const entry of this.urls.values()) entry.then(URL.revokeObjectURL, () => {});
    this.urls.clear();
  }

  // A URL of the picture for an <img>, in another look than the main one if it is named.
  get(photo, number, look = "") {
    const key = `${photo.receiver}/${photo.number}/${number}/${look}`;
    let entry = this.urls.get(key);
    this.urls.delete(key);
    if (!entry) {
      this.running += 1;
      entry = this.source.picture(photo.receiver, photo.number, number, { look }).then((blob) => URL.createObjectURL(blob));
      entry.catch(() => this.urls.delete(key)).finally(() => { this.running -= 1; });
    }
    this.urls.set(key, entry);
    if (this.urls.size > KEPT) {
      const [oldest, gone] = this.urls.entries().next().value;
      this.urls.delete(oldest);
      gone.then(URL.revokeObjectURL, () => {});
    }
    return entry;
  }

  async settled() {
    while (this.running) await Promise.allSettled(this.urls.values());
  }
}
