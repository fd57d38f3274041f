"""Text to text, and how good what is written is."""
