"""Where a key stands in a TOML file, whatever its texts hold."""

import pytest

from captcha_solver.designs.line_numbers import line_of
from captcha_solver.designs.load import parse_design
from captcha_solver.errors import DesignError

TEXT = '''name = "of several lines"
summary = """
[text]
length = 99
\x85 a separator\u2028 that ends no line
"""
canvas = { width_px = 100, height_px = 50 }
text.charset = "digits"  # length = 3
text."length" = [
  "4-5",
  "6",
]
[[distortion]]
kind = "blur"
[[distortion]]  # kind
  kind = "noise"
[fonts]
faces = ["lato"]'''


@pytest.mark.parametrize(
    ("table", "index", "key", "line"),
    [
        ("", 0, "name", 1),
        ("", 0, "summary", 2),
        ("canvas", 0, "width_px", 7),
        ("canvas", 0, "height_px", 7),
        ("text", 0, "charset", 8),
        ("text", 0, "length", 9),
        ("text", 0, "fit_fraction", 8),
        ("distortion", 0, "kind", 14),
        ("distortion", 1, "kind", 16),
        ("distortion", 1, "severity", 15),
        ("distortion", 2, "kind", 1),
        ("fonts", 0, "faces", 18),
        ("style", 0, "", 1),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_line_of_a_key(table: str, index: int, key: str, line: int, newline: str) -> None:
    assert line_of(TEXT.replace("\n", newline), table, index, key) == line


def test_a_complaint_names_the_line_below_a_text_of_several_lines() -> None:
    text = 'summary = """\nfirst\x7f\n"""\n'.replace("\x7f", "\\u007f") + "[canvas]\nwidth_px = 1\n"
    with pytest.raises(DesignError, match=r"^mine\.toml, line 5: canvas\.width_px: expected 16 to 1000, received 1$"):
        parse_design(text, "mine.toml")
