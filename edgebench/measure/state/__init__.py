"""The state of a device while samples are taken: what spoils them, and what shows it."""
