"""The receiving end: reassembly, erasure recovery, a session without sockets or clocks."""
