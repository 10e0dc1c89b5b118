"""Carillon campaign-scheduler: what is sent to many, and when."""
