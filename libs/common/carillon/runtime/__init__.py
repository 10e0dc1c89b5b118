"""What a process is made of: settings, clock, ids, group commit, start and stop in order."""
