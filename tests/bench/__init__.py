"""Measurements of speed: each bench_*.py has a `main()` that prints a table. `make bench` runs them."""
