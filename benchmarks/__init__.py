"""What the language-model engine does under load, measured against a server of our own."""
