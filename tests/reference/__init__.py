"""Known answers, and how they were got."""
