// Draw CAPTCHAs with the npm package ppfun-captcha into a folder with labels.csv.
//
//     node draw.js --count 500 --out FOLDER [--seed S] [--charset CHARACTERS] [--length 4]
//                  [--width 500] [--height 300] [--size 220] [--background white]
//
// Needs `npm ci` in this folder once. The package draws its chances from Math.random, which `fill` seeds; the defaults
// are its own, but for a background, as it draws on none. `--size` is that of the letters.

import { Resvg } from "@resvg/resvg-js";
import svgCaptcha from "ppfun-captcha";

import { ALNUM, anyText, fill, readOptions } from "../filling.mjs";

const DEFAULTS = { charset: ALNUM, length: "4", width: "500", height: "300", size: "220", background: "white" };

function drawOne(options) {
  const text = anyText(options);
  const [width, height, fontSize] = [options.width, options.height, options.size].map(Number);
  const svg = svgCaptcha.createCaptcha(text, { width, height, fontSize, background: options.background });
  return { text, image: new Resvg(svg).render().asPng() };
}

await fill(readOptions(DEFAULTS), "png", drawOne);
