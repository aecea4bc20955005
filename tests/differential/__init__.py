"""Old and new `anomalynet` run the same commands; what they leave is compared value by value."""
