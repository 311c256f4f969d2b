"""Every convnet under one budget: `python -m benchmarks.family`."""
