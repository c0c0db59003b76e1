"""The world: everything that would be so whether or not anybody asked an API for it.

In: a Config, and changes (`World.append`, `services.ServiceChanges`). Out: minutes of traffic,
requests, services, images, URL maps, at any moment of cloud time. Nothing is awaited here but
waiting for an operation, and one state file holds what outlives the process. Door: `world.World`.
"""
