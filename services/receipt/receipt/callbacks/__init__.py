"""Telling clients what became of their messages, over HTTP.

`handler` makes the calls at once and writes nothing when they succeed; what fails or is slow goes to `backlog`, which
tries again on the schedule of the contract. A `lane` is one client: nothing of it delays another.
"""
