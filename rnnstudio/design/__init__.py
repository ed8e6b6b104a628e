"""The document: nodes, wires, cells, variables, edits with their inverse, history and storage. No torch, no Qt."""
