// What the Node.js generators here share: their options, chances from a seed, and filling a folder with labels.csv.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

export const ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The options given on the command line; `defaults` holds the texts of those that need not be, by name. */
export function readOptions(defaults) {
  const text = (value) => ({ type: "string", default: value });
  const own = Object.fromEntries(Object.entries({ seed: "0", ...defaults }).map(([name, value]) => [name, text(value)]));
  const { values } = parseArgs({ options: { count: { type: "string" }, out: { type: "string" }, ...own } });
  const [shortest, longest = shortest] = values.length.split("-").map(Number);
  const options = { ...values, shortest, longest, count: Number(values.count), seed: Number(values.seed) };
  if (!values.out || !(options.count >= 1) || !(shortest >= 1 && shortest <= longest)) {
    throw new Error("expected --count N --out FOLDER, and a --length such as 5 or 4-6, shortest first");
  }
  return options;
}

/** Numbers in 0-1 (Mulberry32, 32 bits of state) that depend on the seed and the image's number alone. */
function seededRandom(seed, number) {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(number + 1, 0xc2b2ae35)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A whole number from 0 up to but not including `limit`. */
export function below(limit) {
  return Math.floor(Math.random() * limit);
}

/** A length between `shortest` and `longest`, both included. */
export function anyLength({ shortest, longest }) {
  return shortest + below(longest - shortest + 1);
}

/** A text over the charset, of such a length. */
export function anyText(options) {
  return Array.from({ length: anyLength(options) }, () => options.charset[below(options.charset.length)]).join("");
}

/**
 * Fill the folder: `draw` gives `{ text, image }` of one CAPTCHA, as a promise or not, all its chances from
 * Math.random, which cannot be seeded: a seeded generator stands in for it, so that a seed gives the same folder.
 */
export async function fill(options, suffix, draw) {
  mkdirSync(options.out, { recursive: true });
  let rows = "filename,label\n";
  for (let number = 0; number < options.count; number++) {
    Math.random = seededRandom(options.seed, number);
    const { text, image } = await draw(options);
    const name = `${String(number).padStart(5, "0")}.${suffix}`;
    writeFileSync(join(options.out, name), image);
    rows += `${name},${text}\n`;
  }
  writeFileSync(join(options.out, "labels.csv"), rows);
  console.error(`${options.count} images in ${options.out}`);
}
