"""The verifier: a core system to verdicts, traces and certificates."""
