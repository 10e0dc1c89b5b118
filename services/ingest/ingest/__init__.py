"""The doors: client systems' messages come in here, are checked, get an id and become `message.accepted`."""
