"""One door a protocol: each turns what a client sent into a draft of a message, and the outcome into its answer."""
