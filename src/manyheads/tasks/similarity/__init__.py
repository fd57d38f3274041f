"""What belongs together: vectors of texts, few shots, relevance."""
