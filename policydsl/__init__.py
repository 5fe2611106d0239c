"""The policy language: text to a typed core, and what the core means."""
