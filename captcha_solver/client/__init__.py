"""The client of the REST service: folders in, answers out. The only place in the library that knows HTTP."""
