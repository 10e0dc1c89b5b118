"""MongoDB documents and what they mean. One file a collection."""
