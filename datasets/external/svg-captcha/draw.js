// Draw CAPTCHAs with the npm package svg-captcha into a folder with labels.csv.
//
//     node draw.js --count 500 --out FOLDER [--seed S] [--charset CHARACTERS] [--length 5]
//                  [--width 150] [--height 50] [--noise 3] [--background "#f0f0ff"]
//
// Needs `npm ci` in this folder once. The package draws its chances from Math.random, which cannot be seeded; a seeded
// generator stands in for it, so that a seed gives the same folder each time.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { Resvg } from "@resvg/resvg-js";
import svgCaptcha from "svg-captcha";

const ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function readOptions() {
  const text = (value) => ({ type: "string", default: value });
  const { values } = parseArgs({
    options: {
      count: { type: "string" },
      out: { type: "string" },
      seed: text("0"),
      charset: text(ALNUM),
      length: text("5"),
      width: text("150"),
      height: text("50"),
      noise: text("3"),
      background: text("#f0f0ff"),
    },
  });
  const [shortest, longest = shortest] = values.length.split("-").map(Number);
  const options = { ...values, shortest, longest };
  for (const name of ["count", "seed", "width", "height", "noise"]) options[name] = Number(values[name]);
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

function drawOne(options, number) {
  Math.random = seededRandom(options.seed, number);
  const below = (limit) => Math.floor(Math.random() * limit);
  const length = options.shortest + below(options.longest - options.shortest + 1);
  const text = Array.from({ length }, () => options.charset[below(options.charset.length)]).join("");
  const { width, height, noise, background } = options;
  const svg = svgCaptcha(text, { width, height, noise, background, color: true });
  const name = `${String(number).padStart(5, "0")}.png`;
  writeFileSync(join(options.out, name), new Resvg(svg).render().asPng());
  return `${name},${text}\n`;
}

const options = readOptions();
mkdirSync(options.out, { recursive: true });
const rows = Array.from({ length: options.count }, (_, number) => drawOne(options, number));
writeFileSync(join(options.out, "labels.csv"), "filename,label\n" + rows.join(""));
console.error(`${options.count} images in ${options.out}`);
