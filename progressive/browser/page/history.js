/** Appends to a list that grows for as long as a stream lasts; of too many items every second one of all but the latest
 * quarter is forgotten, the first one never. Returns those that are. */
export function append(items, item, most) {
  items.push(item);
  return items.length > most ? thin(items) : [];
}

/** Forgets every second item of all but the latest quarter; returns those that are. */
export function thin(items) {
  const old = items.length - Math.max(1, items.length >> 2);
  const kept = items.filter((_, place) => place >= old || place % 2 === 0);
  const gone = items.filter((_, place) => place < old && place % 2 === 1);
  items.splice(0, items.length, ...kept);
  return gone;
}
