"""Runs a compiled program on torch: primitives, loops and their lowerings, probes."""
