"""The drawing on the screen: items for nodes and wires, the scene that follows the document, the view that zooms."""
