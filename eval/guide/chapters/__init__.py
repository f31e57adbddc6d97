"""The chapters of the guide: each is made from the figures alone."""
