"""Front-ends whose filters are learned with the network."""
