"""What lies in a run's folder, and what RUN means on a command line."""
