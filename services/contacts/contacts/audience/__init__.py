"""Whom a campaign goes to: pages in the order of numbers, counts and samples."""
