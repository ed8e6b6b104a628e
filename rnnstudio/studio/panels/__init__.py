"""The panels around the canvas: each a plain widget that reads the session or the live run and sends edits."""
