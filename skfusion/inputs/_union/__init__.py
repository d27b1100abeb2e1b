"""The union of transformers, and how it chooses them."""
