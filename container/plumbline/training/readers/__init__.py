"""Pictures and labels of a channel, in every layout; what a network makes of them is elsewhere."""
