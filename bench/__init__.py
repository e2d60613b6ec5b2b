"""Measuring: what is required stands in requirements.toml, what was measured in results/."""
