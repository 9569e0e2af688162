"""What travels between sender and receiver: packets, records, erasure coding, control messages, protection plans."""
