"""The state of the machine around a campaign: load, clock, heat, cores, memory."""
