"""Networks that play: policy files, and actions for batches of observations."""
