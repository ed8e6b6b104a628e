"""Every command of the window with its keys: one table, the user's own keys over it, the window that changes them."""
