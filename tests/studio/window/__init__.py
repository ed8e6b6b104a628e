"""The whole window, driven by mouse and keyboard."""
