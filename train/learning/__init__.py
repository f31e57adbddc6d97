"""The learner's side on the device: states, updates, and the replay buffer."""
