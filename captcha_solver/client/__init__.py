"""The client of the REST service: it sends folders and fetches answers. Nothing else in the library knows HTTP."""
