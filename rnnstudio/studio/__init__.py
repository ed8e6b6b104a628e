"""The window: canvas, gestures, panels, plots. The only package that imports Qt."""
