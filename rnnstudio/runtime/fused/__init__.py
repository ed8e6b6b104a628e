"""Loops that run as one autograd function: canonical form, its derivative, plain torch and generated machine code."""
