"""The project: settings, the two listening sides, the processes that serve them."""
