"""The tests mirror rnnstudio/; `make test` runs them."""
