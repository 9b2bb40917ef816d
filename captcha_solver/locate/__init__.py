"""Where the text of an image is: one region a line, found by a small network (regions), trimmed by edges (band)."""
