"""Live plots of a run: losses, gates, gradients. Each draws from `Live.curves`, so one opened late shows everything."""
