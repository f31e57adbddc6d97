"""Expert iteration: an expert that plays by the values of afterstates, and its pupil's update."""
