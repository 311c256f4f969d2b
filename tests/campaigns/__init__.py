"""Campaigns: many cases of what the world throws at audionet, each drawn from a seed. `python -m tests.campaigns`."""
