"""Posteriors with known truth: what "never silently wrong" is measured on."""
