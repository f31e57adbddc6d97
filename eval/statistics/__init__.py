"""What results say: intervals, paired differences, ratings, strength of policies."""
