"""What can be drawn: one file a family, with ports, parameters, shape rule, formula and meaning. No torch, no Qt."""
