"""Where the text of an image is: one region a line, found by a small network (textmap, regions), and cut out (cut)."""
