"""What is said of a run: numbers beside a baseline, pictures, a page, a card."""
