"""Pictures of the studio for its documentation: `python -m scripts.screens data`."""
