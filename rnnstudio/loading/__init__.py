"""Plugins: what one is, where they are found, and what is done with one that fails. No torch, no Qt.

A plugin's author needs rnnstudio.plugins alone; everything here is for the studio's own use.
"""

from .discovery import Failure, Found, Loaded, discover, load_plugins, plugin_folder
from .plugin import Exporter, Plugin
from .stuck import enable

__all__ = ["Exporter", "Failure", "Found", "Loaded", "Plugin", "discover", "enable", "load_plugins", "plugin_folder"]
