"""All embeddings of a gallery as one array."""
