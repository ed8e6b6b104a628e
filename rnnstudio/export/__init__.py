"""Takes a trained network away: Python source, and its proof."""
