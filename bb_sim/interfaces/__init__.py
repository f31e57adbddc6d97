"""The game as other libraries know it; each module needs an extra of its own."""
