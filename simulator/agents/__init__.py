"""The seven autonomous security agents. Each acts through governed actions alone, and sees what a gateway sees."""
