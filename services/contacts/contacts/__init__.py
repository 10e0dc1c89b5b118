"""Carillon contacts: who may be messaged."""
