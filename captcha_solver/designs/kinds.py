"""The literal registry of distortions: name in a design file -> class."""

from captcha_solver.designs import distort_background as background
from captcha_solver.designs import distort_fills as fills
from captcha_solver.designs import distort_format as formats
from captcha_solver.designs import distort_image as image
from captcha_solver.designs import distort_lattices as lattices
from captcha_solver.designs import distort_layout as layout
from captcha_solver.designs import distort_marks as marks
from captcha_solver.designs import distort_place as places
from captcha_solver.designs import distort_text as text
from captcha_solver.designs.knobs import Distortion

KINDS: dict[str, type[Distortion]] = {
    # shape and place of the glyphs
    "rotate": layout.Rotate,
    "rotate-text": layout.RotateText,
    "skew": layout.Skew,
    "size-jitter": layout.SizeJitter,
    "stretch": layout.Stretch,
    "bounce": layout.Bounce,
    "corner-warp": layout.CornerWarp,
    "bend": layout.Bend,
    "weight": layout.Weight,
    "hollow": layout.Hollow,
    "bitmap": layout.Bitmap,
    "glyph-colours": layout.GlyphColours,
    "translucent": layout.Translucent,
    "spread": layout.Spread,
    "overlap": layout.Overlap,
    "even-steps": layout.EvenSteps,
    "collapse": layout.Collapse,
    "two-layers": layout.TwoLayers,
    "scatter": places.Scatter,
    "arc": places.Arc,
    "rows": places.Rows,
    "clip": places.Clip,
    "pale-inks": places.PaleInks,
    "crisp": places.Crisp,
    "cells": fills.Cells,
    "even-odd": fills.EvenOdd,
    # under the text
    "gradient": background.Gradient,
    "texture": background.Texture,
    "tiles": background.Tiles,
    "grid": background.Grid,
    "ghosts": background.Ghosts,
    "frame": background.Frame,
    # the text layer
    "dotted": text.Dotted,
    "bites": text.Bites,
    "cuts": text.Cuts,
    "strikes": text.Strikes,
    "shadow": text.Shadow,
    "relief": text.Relief,
    "fill": text.Fill,
    "hair": text.Hair,
    "text-wave": text.TextWave,
    # over (or under) the text
    "lines": marks.Lines,
    "arcs": marks.Arcs,
    "curves": marks.Curves,
    "zigzags": marks.Zigzags,
    "dotted-curves": marks.DottedCurves,
    "dots": marks.Dots,
    "specks": marks.Specks,
    "occlude": marks.Occlude,
    "invert-lines": marks.InvertLines,
    "invert-blocks": marks.InvertBlocks,
    "invert-arc": marks.InvertArc,
    "hatching": lattices.Hatching,
    "fragments": lattices.Fragments,
    "long-lines": lattices.LongLines,
    "ellipses": lattices.Ellipses,
    "lattice": lattices.Lattice,
    "bars": lattices.Bars,
    # the whole picture
    "wave": image.Wave,
    "perspective": image.Perspective,
    "swirl": image.Swirl,
    "ripple": image.Ripple,
    "blur": image.Blur,
    "smooth": image.Smooth,
    "sharpen": image.Sharpen,
    "low-contrast": image.LowContrast,
    "negative": image.Negative,
    "edges": image.Edges,
    "gray": image.Gray,
    "noise": image.Noise,
    "salt-pepper": image.SaltPepper,
    "jpeg": image.Jpeg,
    "palette": image.Palette,
    "one-bit": image.OneBit,
    "pixelate": image.Pixelate,
    "gif": formats.Gif,
    "rescale": formats.Rescale,
}
