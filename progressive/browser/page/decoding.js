// Decoders in workers, one for each model; what they need comes from the page's own server.

/** Codecs that `codec/` decodes. */
const DECODED = new Set(["rmpgc"]);

const MAX_FILE = 10 << 20; // bytes, as of any weight file

/** There will be no picture; the message says why, for people. */
export class CannotShow extends Error {}

/** The decoders that the photos so far have needed. */
export class Decoders {
  #about;
  #headers;
  #model = ""; // the latest one, and its decoder: a sender has one model, or another one after a while
  #decoder = null;

  /** `headers`: of requests for weights. */
  constructor(headers = {}) {
    this.#headers = headers;
    this.#about = fetchBytes("/about.json").then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
    this.#about.then(({ weights }) => { if (weights.length) this.#open(weights[0]); }).catch(() => {});
  }

  /** The name of a codec, by its number in stream headers. */
  async nameOf(codec) {
    const { codecs } = await this.#about.catch(() => ({ codecs: {} }));
    return codecs[codec] ?? `codec ${codec}`;
  }

  /** The decoder for streams with such a header. Rejects with `CannotShow`. */
  async for(header) {
    const name = await this.nameOf(header.codec);
    if (!DECODED.has(name)) {
      throw new CannotShow(`Photos coded by ${name} are not shown in a browser: only their packets are. ` +
        "The picture is shown by python -m receiver --from webrtc://HOST:PORT --view");
    }
    return this.#open(header.model);
  }

  #open(model) {
    if (this.#model !== model) {
      this.#decoder?.then((decoder) => decoder.close(), () => {});
      this.#model = model;
      this.#decoder = Decoder.open(model, this.#headers);
      this.#decoder.catch(() => { if (this.#model === model) this.#model = ""; }); // the next photo tries again
    }
    return this.#decoder;
  }
}

/** A worker that decodes streams of one model; its answers come in the order of the questions. */
class Decoder {
  #worker = new Worker(new URL("../codec/worker.js", import.meta.url), { type: "module" });
  #questions = [];
  #broken = null;

  static async open(model, headers) {
    if (typeof WebAssembly !== "object" || typeof Worker !== "function") throw new CannotShow(TOO_OLD);
    const [wasm, weights] = await Promise.all([
      fetchBytes("/codec/decoder.wasm", {}), fetchBytes(`/weights/${model}`, headers),
    ]);
    if (!WebAssembly.validate(wasm)) throw new CannotShow(TOO_OLD);
    const decoder = new Decoder();
    try {
      await decoder.#ask({ type: "open", wasm, weights }, [wasm.buffer, weights.buffer]);
    } catch (error) {
      decoder.close();
      throw error;
    }
    return decoder;
  }

  constructor() {
    this.#worker.onmessage = ({ data }) => {
      const question = this.#questions.shift();
      if (data.type === "refused" || data.type === "failed") question?.reject(new CannotShow(data.why));
      else question?.resolve(data);
    };
    this.#worker.onerror = () => this.#fail("The decoder stopped: load this page again");
  }

  /** Begins a stream of this header (its bytes) under a key; what the decoder says of it. Rejects with `CannotShow`. */
  async begin(stream, header) {
    return (await this.#ask({ type: "begin", stream, header })).header;
  }

  /** Takes segments, [id, bytes] each: { changed, damaged, status }. */
  push(stream, segments) { return this.#ask({ type: "push", stream, segments }, segments.map(([, bytes]) => bytes.buffer)); }

  /** The picture, straight or through the synthesis network: { width, height, rgba, status, ms }. */
  picture(stream, network) { return this.#ask({ type: "picture", stream, network }); }

  end(stream) { if (!this.#broken) this.#worker.postMessage({ type: "close", stream }); }

  close() {
    this.#fail("The decoder was closed");
    this.#worker.terminate();
  }

  #ask(message, transfer = []) {
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      this.#questions.push({ resolve, reject });
      this.#worker.postMessage(message, transfer);
    });
  }

  #fail(reason) {
    this.#broken ??= new CannotShow(reason);
    for (const { reject } of this.#questions.splice(0)) reject(this.#broken);
  }
}

const TOO_OLD = "This browser cannot decode photos (it has no WebAssembly with SIMD): only their packets are shown. " +
  "A newer one shows the picture, as does python -m receiver --from webrtc://HOST:PORT --view";

async function fetchBytes(url, headers) {
  let response;
  try {
    response = await fetch(url, { headers });
  } catch {
    throw new CannotShow("The sender does not hand out what decodes its photos: load this page again");
  }
  if (!response.ok) throw new CannotShow(`The sender does not hand out what decodes this photo: ${(await response.text()).slice(0, 200).trim()}`);
  const chunks = [];
  let size = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { value, done } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > MAX_FILE) throw new CannotShow("The sender hands out a file that is too large");
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
