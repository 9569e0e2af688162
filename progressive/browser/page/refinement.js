// Segments become ever better pictures, in a worker, while more of them arrive.

const SETTLED_MS = 400; // nothing new for so long: time for the synthesis network
const PROMPT_MS = 150; // a network that takes no longer makes every picture

/**
 * The pictures of one stream. At most one is in the making; it serves all segments that came meanwhile. The linear picture
 * is shown at once, that of the synthesis network when things settle, and at the end.
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

  /** What is not decoded yet stays so. */
  cut() {
    this.#cut = true;
    this.#waiting.length = 0;
    this.finish();
  }

  /** Shows all that comes, until the last picture is there. Rejects with `CannotShow`. */
  async run() {
    let lacking = false, rough = false, settled = false; // the picture lacks segments; it is the linear one; nothing new comes
    for (;;) {
      const segments = this.#waiting.splice(0);
      if (segments.length) {
        const { changed, damaged } = await this.#decoder.push(this.#stream, segments);
        this.damaged += damaged.length;
        lacking ||= changed;
      }
      if (this.#cut) break;
      if (lacking || (rough && (settled || this.#over))) {
        rough = !(await this.#show(!lacking || this.#networkMs <= PROMPT_MS));
        lacking = false;
      } else if (this.#over && !this.#waiting.length) {
        break;
      } else {
        settled = !(await this.#news(rough ? SETTLED_MS : Infinity));
      }
    }
    this.#decoder.end(this.#stream);
  }

  async #show(network) {
    const picture = await this.#decoder.picture(this.#stream, network);
    if (network) this.#networkMs = picture.ms;
    await this.#onPicture(picture);
    return network;
  }

  /** Whether something came within this time. */
  #news(ms) {
    if (this.#waiting.length || this.#over) return true;
    return new Promise((resolve) => {
      const timer = ms < Infinity ? setTimeout(() => resolve(false), ms) : 0;
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
