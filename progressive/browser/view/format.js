// Figures for people.

const UNITS = ["B", "kB", "MB", "GB"];

export function bytes(count) {
  let value = count, unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) { value /= 1000; unit += 1; }
  return `${unit ? Number(value.toPrecision(3)) : value} ${UNITS[unit]}`;
}

export function seconds(value) {
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 99.5) return `${value.toFixed(value < 9.95 ? 2 : 1)} s`;
  const minutes = Math.floor(value / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(value % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function percent(share) {
  const value = 100 * share;
  return `${value && value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

export function layer(number) {
  return number <= 0 ? "base" : `layer ${number}`;
}

// PSNR in dB, measured or else as the sender expects it; null if neither is known.
export function decibels(picture) {
  return picture.psnr ?? picture.expected_psnr ?? null;
}

// The quality of a picture in words: measured if the original is known, otherwise as the sender expects it, otherwise
// how much it shows of what is planned.
export function quality(picture, segments) {
  const words = [];
  if (picture.exact) words.push("equal to the original");
  if (picture.psnr !== null) words.push(`${picture.psnr.toFixed(2)} dB`);
  else if (!picture.exact && decibels(picture) !== null) words.push(`about ${Math.round(decibels(picture))} dB`);
  if (picture.ms_ssim !== null) words.push(`MS-SSIM ${picture.ms_ssim.toFixed(3)}`);
  if (!words.length && segments) words.push(`${percent(picture.segments / segments)} of the planned segments`);
  return words.join(", ");
}

// What a photo is called.
export function title(photo) {
  return photo.facts.name ?? `photo ${photo.number}`;
}
