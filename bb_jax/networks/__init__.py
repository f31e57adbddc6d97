"""Networks: what they compute from rows, over afterstates, and two merged into one."""
