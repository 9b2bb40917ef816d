// Draw CAPTCHAs with the npm package svg-captcha into a folder with labels.csv.
//
//     node draw.js --count 500 --out FOLDER [--seed S] [--charset CHARACTERS] [--length 5]
//                  [--width 150] [--height 50] [--noise 3] [--background "#f0f0ff"]
//
// Needs `npm ci` in this folder once. The package draws its chances from Math.random, which `fill` seeds.

import { Resvg } from "@resvg/resvg-js";
import svgCaptcha from "svg-captcha";

import { ALNUM, anyText, fill, readOptions } from "../filling.mjs";

const DEFAULTS = { charset: ALNUM, length: "5", width: "150", height: "50", noise: "3", background: "#f0f0ff" };

function drawOne(options) {
  const text = anyText(options);
  const [width, height, noise] = [options.width, options.height, options.noise].map(Number);
  const svg = svgCaptcha(text, { width, height, noise, background: options.background, color: true });
  return { text, image: new Resvg(svg).render().asPng() };
}

await fill(readOptions(DEFAULTS), "png", drawOne);
