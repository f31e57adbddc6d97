"""A run's copy elsewhere: its finished steps, from which the run is restored when it is gone."""
