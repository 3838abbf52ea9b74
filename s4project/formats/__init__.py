"""How the console writes moments: as they sort, in every list and form."""
