// Segments become ever better pictures, in a worker, while more of them arrive.

const SETTLED_MS = 400; // nothing new for so long: time for the synthesis network
const PROMPT_MS = 150; // a network that takes no longer makes every picture
const AT_ONCE = 4; // segments that are decoded before something else may be done
const FIRST_PATIENCE_MS = 300; // of decoding before a picture, until it is known how long one takes

/**
 * The pictures of one stream. At most one is in the making; it serves the segments that came meanwhile. The linear picture
 * is shown at once, that of the synthesis network when things settle, and so at the end, too. Where segments come faster than they
 * are decoded, pictures take half of the time; the first one waits for nothing but the base.
 *
 * `onPicture(picture)` is awaited for each, { width, height, rgba, status, network, ms }.
 */
export class Refinement {
  #decoder;
  #stream;
  #onPicture;
  #waiting = [];
  #over = false;
  #cut = false;
  #wake = () => {};
  #networkMs = Infinity;
  #pictureMs = FIRST_PATIENCE_MS; // what the latest picture took
  #decodedMs = 0; // what decoding has taken since then
  #isFirst = true; // no picture of the whole base has been shown
  #pause = null;

  constructor(decoder, stream, onPicture) {
    this.#decoder = decoder;
    this.#stream = stream;
    this.#onPicture = onPicture;
    this.damaged = 0;
  }

  /** Takes a segment. */
  push(id, payload) {
    this.#waiting.push([id, payload]);
    this.#wake(true);
  }

  /** No more segments come. */
  finish() {
    this.#over = true;
    this.#wake(true);
  }

  /** Does nothing until this promise is there: something else comes first. */
  pause(until) {
    this.#pause = until;
  }

  /** What is not decoded yet stays so. */
  cut() {
    this.#cut = true;
    this.#waiting.length = 0;
    this.finish();
  }

  /** Shows all that comes, until the last picture is there. Rejects with `CannotShow`. */
  async run() {
    let lacking = false, rough = false, settled = false; // the picture lacks segments; it is the linear one; nothing new comes
    while (!this.#cut) {
      await this.#pause;
      const isDue = lacking && this.#decodedMs >= this.#pictureMs;
      if (this.#waiting.length && !isDue) {
        lacking = (await this.#decode()) || lacking;
      } else if (lacking || (rough && settled)) {
        rough = !(await this.#show(!lacking || this.#networkMs <= PROMPT_MS));
        lacking = settled = false;
      } else if (this.#over && !rough) {
        break;
      } else {
        settled = !(await this.#news(rough ? SETTLED_MS : Infinity));
      }
    }
    this.#decoder.end(this.#stream);
  }

  /** Decodes some of what waits; whether the picture changes. */
  async #decode() {
    const begun = performance.now();
    const { changed, damaged, status } = await this.#decoder.push(this.#stream, this.#waiting.splice(0, AT_ONCE));
    this.#decodedMs += performance.now() - begun;
    this.damaged += damaged.length;
    if (this.#isFirst && status.baseComplete) {
      this.#isFirst = false;
      this.#decodedMs = Infinity;
    }
    return changed;
  }

  async #show(network) {
    const begun = performance.now();
    const picture = await this.#decoder.picture(this.#stream, network);
    if (network) this.#networkMs = picture.ms;
    await this.#onPicture(picture);
    if (!network || picture.ms <= PROMPT_MS) this.#pictureMs = performance.now() - begun;
    this.#decodedMs = 0;
    return network;
  }

  /** Whether something came within this time. */
  #news(ms) {
    if (this.#waiting.length) return true;
    return new Promise((resolve) => {
      const timer = ms < Infinity ? setTimeout(() => resolve(false), ms) : 0;
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
