// What the tests of the decoder do in a browser; bytes travel as base64.

import { openModel } from "/codec/decoder.js";
import { Machine } from "/codec/machine.js";
import { sha256 } from "/codec/sha256.js";
import { hex } from "/codec/weights.js";

const models = new Map();

export const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

export async function fetched(path) {
  return new Uint8Array(await (await fetch(path)).arrayBuffer());
}

// The decoder with the weights at a path, opened once.
export async function modelOf(path) {
  if (!models.has(path)) models.set(path, await openModel(await fetched("/codec/decoder.wasm"), await fetched(path)));
  return models.get(path);
}

// A stream's decoder after some pushes, [id, payload] each, and what came of each: "changed", "same" or "damaged".
export async function pushed(path, header, segments) {
  const decoder = (await modelOf(path)).decoder(bytes(header));
  const outcomes = segments.map(([id, payload]) => {
    const { changed, what } = decoder.push(id, bytes(payload));
    return what === "damaged" ? what : changed ? "changed" : "same";
  });
  return { decoder, outcomes };
}

export async function latentOf(path, header, segments) {
  const { decoder, outcomes } = await pushed(path, header, segments);
  const found = { outcomes, status: decoder.status, latent: hex(sha256(decoder.latent())) };
  decoder.close();
  return found;
}

export async function picturesOf(path, header, segments) {
  const { decoder } = await pushed(path, header, segments);
  const found = { linear: base64(decoder.linearPicture().rgba), final: base64(decoder.picture().rgba), levels: [...decoder.levels().states] };
  decoder.close();
  return found;
}

// Why a call rejects or throws.
export async function reasonOf(call) {
  try {
    await call();
  } catch (error) {
    return error.message;
  }
  return "";
}

// The answers of a worker to messages, as many as come.
export async function answersOf(messages, count) {
  const worker = new Worker("/codec/worker.js", { type: "module" }), answers = [];
  await new Promise((done, failed) => {
    worker.onerror = failed;
    worker.onmessage = ({ data }) => {
      if (data.rgba) data.rgba = base64(data.rgba);
      if (answers.push(data) === count) done();
    };
    for (const message of messages) worker.postMessage(message);
  });
  worker.terminate();
  return answers;
}

// A machine after a call that reads where there is no memory.
export async function trapped() {
  const machine = new Machine(await WebAssembly.compile(await fetched("/codec/decoder.wasm")));
  const found = machine.call("activity", 0xfffffff0, 0);
  return { found, trapped: machine.trapped, after: machine.keep(8) > 0 };
}

// What is said where there is no more memory.
export async function exhausted() {
  const machine = new Machine(await WebAssembly.compile(await fetched("/codec/decoder.wasm")));
  return reasonOf(() => machine.keep(2 ** 31 - 1));
}

function base64(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
  return btoa(text);
}
