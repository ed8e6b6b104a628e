"""From a design to a printable program: check, flatten, schedule, source. No torch, no Qt."""
