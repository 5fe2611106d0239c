"""Votes to results that anybody can check: secret ballots with a verifiable tally, and exact sums of public votes."""
