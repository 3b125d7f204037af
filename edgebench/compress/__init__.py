"""A model and a recipe become a variant: a file for a device, and the ledger of how it came to be.

`recipe` says what a step means, `route` which ways lead from the model to the target format,
`pipeline` takes them one by one, each in a worker process, and `cache` keeps what they made.
"""
