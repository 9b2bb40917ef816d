// Draw CAPTCHAs with the npm package trek-captcha into a folder with labels.csv.
//
//     node draw.js --count 500 --out FOLDER [--seed S] [--length 5]
//
// Needs `npm ci` in this folder once. The package makes up its texts itself, of its own 23 letters, always on 200 x 70
// pixels. It draws its chances from Math.random, which `fill` seeds, and from crypto.randomBytes, which takes them from
// there here: so a seed gives the same folder each time.

import crypto from "node:crypto";
import { createRequire } from "node:module";

import { anyLength, below, fill, readOptions } from "../filling.mjs";

crypto.randomBytes = (size, done) => done(null, Buffer.from(Array.from({ length: size }, () => below(256))));
const captcha = createRequire(import.meta.url)("trek-captcha"); // after that, as it keeps the function it finds

async function drawOne(options) {
  const { token, buffer } = await captcha({ size: anyLength(options) });
  return { text: token, image: buffer };
}

await fill(readOptions({ length: "5" }), "gif", drawOne);
