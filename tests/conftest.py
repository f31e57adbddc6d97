"""Settings for all tests."""

from hypothesis import settings

# Cores are shared, so how long one example takes says nothing about the code.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")
