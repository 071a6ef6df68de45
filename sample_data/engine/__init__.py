"""The sync engine that carries orders from system to system, retries, gives up, and can be asked to replay."""
