"""Parts of the benchmark of exploration: problems, participants, and the check of what they say."""
