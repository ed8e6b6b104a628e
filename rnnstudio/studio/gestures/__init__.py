"""One class for each thing a hand does on the canvas. A gesture ends in an edit, or in nothing when it is cancelled."""
