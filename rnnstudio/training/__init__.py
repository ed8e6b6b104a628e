"""The trainer, its settings, events, checkpoints and runs."""
