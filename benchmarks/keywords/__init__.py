"""The open benchmark of keyword detection: who finds `alexa`, `computer` and `jarvis`, and who hears them elsewhere."""
