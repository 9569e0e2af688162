"""How the natural look is trained: a synthesis that makes pictures look right, for streams as they are."""
