"""`foresail doctor`: looks at sources and demands as a service would use them. Asks; never changes anything."""
