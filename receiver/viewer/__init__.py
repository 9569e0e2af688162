"""The receiver's page: the picture as it refines, the fate of every packet, quality and bytes over time.

observations -> Journal (one a receiver) -> Gallery -> server, in a thread of its own -> page in a browser
"""
