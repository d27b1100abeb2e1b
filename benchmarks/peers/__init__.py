"""Benchmarks against other libraries, which live in an environment of their own."""
