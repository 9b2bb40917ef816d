"""One module a reader: ``load(options)`` gives a ``Reader``. Run by ``serve.py`` in that reader's environment."""
