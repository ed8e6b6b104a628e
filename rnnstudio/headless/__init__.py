"""What the command line does without a window: train, evaluate, generate, export, with words and bars in a terminal."""
