// What a receiver is at with a photo, in words, and the mark beside them.

export const WAITING = "Waiting for a sender", RECEIVING = "Receiving", DECODING = "Received, decoding", COMPLETE = "Complete";

// here: the receiver takes part still.
export function statusOf(photo, here = true) {
  if (!photo) return WAITING;
  if (photo.reason === "complete") return photo.state === "done" ? COMPLETE : DECODING;
  if (photo.reason === "silence") return "The sender fell silent";
  return photo.state === "receiving" && here ? RECEIVING : "Ended";
}

// words: of `statusOf`, or others of a `kind` of their own: waiting, live, done, lost.
export function drawStatus(element, words, kind = { [WAITING]: "waiting", [RECEIVING]: "live", [DECODING]: "live" }[words] ?? "done") {
  element.dataset.state = kind;
  if (element.textContent !== words) element.textContent = words;
}
