// The decoder off the page's thread. Messages are answered in order: `open`, `begin`, `push` and `picture` once each,
// `close` not at all.

import { OutOfMemory, Refused, openModel } from "./decoder.js";

const decoders = new Map(); // the page's key of a stream -> its decoder
let model = null;

const answers = {
  async open({ wasm, weights }) {
    model = await openModel(wasm, weights);
    return { type: "model", id: model.id, synthesisId: model.synthesisId };
  },

  begin({ stream, header, limits }) {
    if (!model) throw new Refused("the decoder has no weights yet");
    decoders.get(stream)?.close();
    const decoder = model.decoder(header, limits);
    decoders.set(stream, decoder);
    return { type: "begun", header: decoder.header };
  },

  push({ stream, segments }) {
    const decoder = decoderOf(stream), damaged = [];
    let changed = false;
    for (const [id, payload] of segments) {
      const found = decoder.push(id, payload);
      changed ||= found.changed;
      if (found.what === "damaged") damaged.push([id, found.why]);
    }
    return { type: "pushed", changed, damaged, status: decoder.status, levels: decoder.levels() };
  },

  picture({ stream, network }) {
    const decoder = decoderOf(stream), start = performance.now();
    const picture = network ? decoder.picture() : decoder.linearPicture();
    return { type: "picture", network, ...picture, status: decoder.status, shown: [...decoder.shown], ms: performance.now() - start };
  },

  close({ stream }) {
    decoders.get(stream)?.close();
    decoders.delete(stream);
  },
};

function decoderOf(stream) {
  const decoder = decoders.get(stream);
  if (!decoder) throw new Refused("this photo has not begun, or it is over");
  return decoder;
}

// What a message is answered with; what goes wrong is an answer too, and ends its stream.
async function answered(message) {
  const { type, stream } = message;
  try {
    const answer = await answers[type](message);
    return answer && { stream, ...answer };
  } catch (error) {
    answers.close({ stream });
    const known = error instanceof Refused || error instanceof OutOfMemory;
    return { type: error instanceof Refused ? "refused" : "failed", stream, why: known ? error.message : `the decoder failed: ${error.message}` };
  }
}

let last = Promise.resolve();

onmessage = ({ data }) => {
  last = last.then(async () => {
    const answer = await answered(data);
    if (answer) postMessage(answer, answer.rgba ? [answer.rgba.buffer] : []);
  });
};
