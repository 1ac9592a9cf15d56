"""Pictures of the map, the posterior and the predictions (matplotlib)."""
