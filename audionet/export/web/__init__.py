"""A page for the browser, in one folder: the network listens there, and nothing of what it hears leaves the page."""
