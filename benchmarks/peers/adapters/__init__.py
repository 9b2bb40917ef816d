"""One module a reader, each with a class ``Reader``. Run by ``serve.py`` in that reader's environment.

``read`` gives the texts and is what is timed. ``read_sure`` gives each text with the reader's own confidence, 0-1, or
None where it has none; it may take longer.
"""
