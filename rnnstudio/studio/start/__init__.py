"""What one begins with: the start screen over the window, its cards, their pictures, and the page that composes."""
