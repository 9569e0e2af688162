/** What came is damaged or nonsense: it is counted and dropped, and nothing has changed. */
export class WireError extends Error {}
