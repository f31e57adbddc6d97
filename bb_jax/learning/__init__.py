"""What every learning algorithm needs: the learner's state and the optimizer."""
