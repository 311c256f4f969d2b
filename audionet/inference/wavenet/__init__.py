"""The engines that generate with a WaveNet, all with the same samples from the same numbers."""
