"""Ways to an operator, all of one shape (`port.Connector`): `smpp` and `http`."""
