"""What stands outside the provider, made for tests: each keeps the protocol of the real thing."""
