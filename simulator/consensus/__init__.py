"""Agreement of an elected committee by messages: requests, a network and faults go in, decisions come out.

The protocol is PBFT (Castro and Liskov 1999), with signatures. `run.py` is where to begin reading.
"""
