"""Tests of the HTTP side, over real sockets and a real Redis."""
