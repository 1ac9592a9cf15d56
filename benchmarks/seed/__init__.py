"""Parts of the study of the talk's figures and questions; `benchmarks/seed_study.py` runs it."""
