"""Credit by card: a payment port, Stripe Checkout and an embedded test provider behind it, and what a payment books."""
