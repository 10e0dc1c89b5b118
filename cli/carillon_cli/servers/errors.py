"""What goes wrong here is told to a person: one class, whose text says what to do next."""


class ServerError(Exception):
    """A server could not be had or did not start; the text says why and how to get one."""
