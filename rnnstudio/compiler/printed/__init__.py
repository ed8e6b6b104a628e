"""The printed source piece by piece: each family of primitives in a file, named as in `runtime`; loops, names, starts.

Reading order: writer (what all share), any family (pointwise, weights, axes …), loops (what strings them together).
"""
