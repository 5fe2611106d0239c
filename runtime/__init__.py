"""The enforcer: a proved system to decisions about requests, without a solver or a parser at hand."""
